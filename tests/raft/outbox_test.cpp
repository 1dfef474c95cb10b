#include "raft/outbox.hpp"

#include <doctest/doctest.h>

namespace aqueduct::raft {

namespace {

entry_id at(std::uint64_t index, std::uint64_t term) {
  return {term_id(term), log_index(index)};
}

outgoing word(std::uint64_t term) {
  return {{node_id(2), {}}, timeout_now{term_id(term)}};
}

std::vector<std::uint64_t> terms_of(const std::vector<outgoing>& messages) {
  std::vector<std::uint64_t> terms;
  for (const auto& m : messages)
    terms.push_back(term_of(m.body).value);
  return terms;
}

using words = std::vector<std::uint64_t>;

} // namespace

TEST_SUITE("raft.outbox") {
  TEST_CASE("a message that depends on a write leaves when the write and all before it are done") {
    outbox box(1, {});
    const auto first = box.begin_write(at(1, 1), true, {});
    const auto second = box.begin_write(at(2, 1), false, {});
    box.post(word(1), outbox::after::nothing);
    box.post(word(2), outbox::after::hard_state);
    box.post(word(3), outbox::after::log);
    std::vector<outgoing> send;
    box.deliver(send);

    CHECK(terms_of(send) == words{1});
    CHECK(box.held_messages() == 2);
    CHECK_FALSE(box.completed(second).any);
    const auto done = box.completed(first);
    CHECK(terms_of(done.release) == words{2, 3});
    CHECK(box.durable() == at(2, 1));
    CHECK(box.in_flight() == 0);
  }

  TEST_CASE("a message that depends on nothing under way leaves at once") {
    outbox box(1, at(3, 1));
    box.post(word(1), outbox::after::log);
    box.post(word(2), outbox::after::hard_state);
    std::vector<outgoing> send;
    box.deliver(send);
    CHECK(terms_of(send) == words{1, 2});

    // Entries are under way, but the hard state is not.
    (void)box.begin_write(at(4, 1), false, {});
    box.post(word(3), outbox::after::hard_state);
    send.clear();
    box.deliver(send);
    CHECK(terms_of(send) == words{3});
  }

  TEST_CASE("a completion that comes after a truncation counts only for what was kept (R4)") {
    outbox box(1, at(2, 1));
    const auto old_write = box.begin_write(at(5, 2), false, {});
    box.truncated(log_index(4), at(3, 2));
    const auto new_write = box.begin_write(at(5, 3), false, {});
    CHECK(box.completed(old_write).any);
    CHECK(box.durable() == at(3, 2));
    (void)box.completed(new_write);
    CHECK(box.durable() == at(5, 3));
  }

  TEST_CASE(
      "an entry that is replaced and comes back counts only when its last write is done (R4)") {
    outbox box(1, at(1, 1));
    const auto first = box.begin_write(at(2, 2), false, {});
    box.truncated(log_index(2), at(1, 1));
    const auto second = box.begin_write(at(2, 3), false, {});
    box.truncated(log_index(2), at(1, 1));
    const auto third = box.begin_write(at(2, 2), false, {});
    (void)box.completed(first);
    CHECK(box.durable() == at(1, 1));
    (void)box.completed(second);
    CHECK(box.durable() == at(1, 1));
    (void)box.completed(third);
    CHECK(box.durable() == at(2, 2));
  }

  TEST_CASE("writes for a log that was replaced do not count for the new one") {
    outbox box(1, at(1, 1));
    const auto old_write = box.begin_write(at(50, 2), false, {});
    box.reset(at(20, 3));
    const auto reset = box.begin_write(at(20, 3), false, {});
    (void)box.completed(old_write);
    CHECK(box.durable() == at(20, 3));
    (void)box.completed(reset);
    CHECK(box.durable() == at(20, 3));
  }

  TEST_CASE("tickets of another life, unknown ones and repeated ones are ignored") {
    outbox box(4, {});
    const auto ticket = box.begin_write(at(1, 1), true, term_id(1));
    CHECK_FALSE(box.completed({3, ticket.number}).any);
    CHECK_FALSE(box.completed({4, ticket.number + 1}).any);
    CHECK_FALSE(box.completed({4, 0}).any);
    CHECK(box.completed(ticket).own_vote == term_id(1));
    CHECK_FALSE(box.completed(ticket).any);
  }

  TEST_CASE("nothing leaves a poisoned outbox") {
    outbox box(1, {});
    const auto ticket = box.begin_write(at(1, 1), true, {});
    box.post(word(1), outbox::after::log);
    std::vector<outgoing> send;
    box.deliver(send);
    box.poison();
    CHECK(box.completed(ticket).release.empty());
    CHECK(box.held_messages() == 0);
    CHECK(send.empty());
  }

  TEST_CASE("the age of the oldest write under way starts anew with each completion") {
    outbox box(1, {});
    box.tick();
    CHECK(box.oldest_write_ticks() == 0);
    const auto first = box.begin_write(at(1, 1), false, {});
    (void)box.begin_write(at(2, 1), false, {});
    box.tick();
    box.tick();
    CHECK(box.oldest_write_ticks() == 2);
    (void)box.completed(first);
    CHECK(box.oldest_write_ticks() == 0);
  }
}

} // namespace aqueduct::raft

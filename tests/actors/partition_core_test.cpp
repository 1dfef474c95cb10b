#include "tests/actors/partition_lab.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

namespace {

constexpr std::int64_t day_ms = 24LL * 3600 * 1000;

buffer batch_dated(std::int64_t time_ms) {
  protocol::batch_builder builder;
  protocol::record_to_write record;
  record.timestamp = timestamp_ms(time_ms);
  record.value = byte_span();
  REQUIRE(builder.append(record));
  return *builder.finish();
}

} // namespace

TEST_SUITE("actors.partition_core") {
  TEST_CASE("a batch is answered when it is committed, with the offset stamped into it") {
    lab it;
    it.lead();
    it.produce(build_batch(3));
    it.produce(build_batch(2));
    it.accept();
    CHECK(it.producer->outcomes.empty());
    it.commit();
    REQUIRE(it.producer->outcomes.size() == 2);
    CHECK(it.outcome(0).base_offset == 0);
    CHECK(it.outcome(1).base_offset == 3);
    CHECK(it.core.high_watermark() == 5);
  }

  TEST_CASE("questions that come before anybody leads wait for the first leader") {
    lab it;
    it.produce(build_batch(1));
    const auto fetched = it.fetch(0);
    CHECK(it.producer->outcomes.empty());
    CHECK(fetched->outcomes.empty());
    it.lead();
    CHECK(it.effects.propose.size() == 1);
    CHECK(fetched->outcomes.size() == 1);
  }

  TEST_CASE("questions are sent to the leader when another node leads") {
    lab it;
    it.produce(build_batch(1));
    it.core.follow(3, 2, it.effects);
    REQUIRE(it.producer->outcomes.size() == 1);
    CHECK(it.outcome(0).error == errc::not_leader);
    CHECK(it.outcome(0).leader == 2);
    CHECK(it.fetch(0)->outcomes.at(0).error == errc::not_leader);
  }

  TEST_CASE("a description that was asked for before anybody led is given by a follower too") {
    lab it;
    it.core.describe({nullptr, 0}, it.effects);
    CHECK(it.effects.describes.empty());
    it.core.follow(3, 2, it.effects);
    CHECK(it.effects.describes.size() == 1);
  }

  TEST_CASE("the newest record is the log's to find, if there is any") {
    lab it;
    it.lead();
    const auto who = std::make_shared<asked_by>();
    it.core.find_offset({who, 0, protocol::newest_timestamp, std::nullopt}, it.effects);
    REQUIRE(who->offsets.size() == 1);
    CHECK(who->offsets[0].error == errc::none);
    CHECK(who->offsets[0].offset == -1);
    it.produce(build_batch(3));
    it.commit();
    it.core.find_offset({who, 0, protocol::newest_timestamp, std::nullopt}, it.effects);
    REQUIRE(it.effects.times.size() == 1);
    CHECK(it.effects.times[0].timestamp_ms == protocol::newest_timestamp);
    CHECK(it.effects.times[0].log_start == 0);
    it.core.find_offset({who, 0, protocol::newest_timestamp - 1, std::nullopt}, it.effects);
    REQUIRE(who->offsets.size() == 2);
    CHECK(who->offsets[1].error == errc::invalid_timestamp);
  }

  TEST_CASE("an epoch of the past ends where the log says, the present one at the high watermark") {
    lab it;
    it.lead(4);
    it.produce(build_batch(3));
    it.commit();
    const auto who = std::make_shared<asked_by>();
    const auto ask = [&](std::int32_t epoch, std::int32_t known = -1) {
      it.core.find_offset({who, 0, protocol::latest_timestamp, epoch, known}, it.effects);
    };
    ask(4);
    ask(5);
    ask(-1);
    REQUIRE(who->offsets.size() == 3);
    CHECK(who->offsets[0].leader_epoch == 4);
    CHECK(who->offsets[0].offset == it.core.high_watermark());
    for (const auto unknown : {1, 2}) {
      CHECK(who->offsets[unknown].error == errc::none);
      CHECK(who->offsets[unknown].leader_epoch == -1);
      CHECK(who->offsets[unknown].offset == -1);
    }
    ask(3, 4);
    REQUIRE(it.effects.times.size() == 1);
    CHECK(it.effects.times[0].term_end_of == std::uint64_t{3});
    it.core.time_found(it.effects.times[0].token,
                       std::optional(std::pair(std::int64_t{1}, std::int64_t{2})));
    REQUIRE(who->offsets.size() == 4);
    CHECK(who->offsets[3].leader_epoch == 2);
    CHECK(who->offsets[3].offset == 1);
    CHECK(who->offsets[3].timestamp_ms == -1);
    ask(4, 5);
    CHECK(who->offsets.at(4).error == errc::not_leader);
  }

  TEST_CASE("a batch is lost, not acknowledged, when leadership goes before it is committed") {
    lab it;
    it.lead();
    it.produce(build_batch(1));
    it.accept();
    it.core.follow(2, 2, it.effects);
    REQUIRE(it.producer->outcomes.size() == 1);
    CHECK(it.outcome(0).error == errc::not_leader);
  }

  TEST_CASE("a state that was taken over counts, and its entries are skipped when they come") {
    lab it;
    it.lead();
    it.produce(build_batch(1));
    it.accept();
    it.produce(build_batch(1));
    it.core.follow(2, 2, it.effects);
    partition_core::restored_state state;
    state.summary = {20, 2, 3, 40};
    it.core.install(std::move(state));
    // The answer to the second batch comes late, and is about nothing that is known here.
    it.core.proposal_refused(1, errc::not_leader, 2);
    CHECK(it.core.applied_index() == 20);
    CHECK(it.core.high_watermark() == 40);
    CHECK(it.core.log_start() == 3);
    it.effects = {};
    it.current_term = 2;
    while (it.last_index < 20)
      it.commit_entry(raft::entry_kind::records, buffer::copy_of("in the state already"));
    CHECK(it.core.high_watermark() == 40);
    CHECK_FALSE(it.effects.persist);
    it.commit_entry(raft::entry_kind::noop, {});
    CHECK(it.core.applied_index() == 21);

    it.accepted.clear();
    it.lead(3);
    it.produce(build_batch(2));
    it.commit();
    CHECK(it.producer->outcomes.back().second.base_offset == 40);
    CHECK(it.core.high_watermark() == 42);
    CHECK(it.fetch(2)->outcomes.at(0).error == errc::offset_out_of_range);
  }

  TEST_CASE("an answer of the group to a proposal that was given up changes nothing") {
    lab it;
    it.lead();
    it.produce(build_batch(1));
    it.effects.propose.clear();
    it.core.follow(2, -1, it.effects);
    it.core.proposal_refused(1, errc::not_leader, -1);
    it.lead(3);
    it.produce(build_batch(1));
    it.commit();
    CHECK(it.outcome(1).base_offset == 0);
  }

  TEST_CASE("a refusal of what was given up with an earlier office leaves the present one ready") {
    lab it;
    it.lead();
    it.produce(build_batch(1));
    it.effects.propose.clear();
    it.core.follow(2, -1, it.effects);
    it.lead(3);
    it.core.proposal_refused(1, errc::not_leader, -1);
    CHECK(it.core.is_ready());
    it.produce(build_batch(1));
    it.commit();
    CHECK(it.outcome(1).base_offset == 0);
  }

  TEST_CASE("what is under way in an office is refused together, whatever comes of earlier ones") {
    lab it;
    it.lead();
    it.produce(build_batch(1));
    it.effects.propose.clear();
    const auto first = it.core.proposal_round();
    it.core.follow(2, -1, it.effects);
    it.lead(3);
    const auto second = it.core.proposal_round();
    // The group refuses what is of the round of a refusal.
    CHECK(second > first);
    it.produce(build_batch(1));
    it.effects.propose.clear();
    it.core.proposal_refused(1, errc::not_leader, -1);
    // A third batch counts on the second: if that is refused it must be too.
    CHECK(it.core.proposal_round() == second);

    it.core.proposal_refused(1, errc::overloaded, -1);
    CHECK(it.core.proposal_round() > second);
    CHECK_FALSE(it.core.is_ready());
  }

  TEST_CASE("what is counted as applied and was not is never written") {
    lab it;
    it.lead();
    it.core.tick(0, 5000, it.effects);
    REQUIRE(it.effects.persist);
    it.effects = {};
    CHECK_THROWS_AS(it.commit_entry(raft::entry_kind::command, buffer::copy_of("of the future")),
                    std::logic_error);
    it.core.fail({errc::internal, "an invariant is broken"});
    it.core.tick(0, 6000, it.effects);
    CHECK_FALSE(it.effects.persist);
  }

  TEST_CASE("a leader that was refused and leads on is ready when nothing is pending any more") {
    lab it;
    it.lead();
    it.produce(build_batch(2));
    it.accept();
    // A transfer of leadership is tried.
    it.produce(build_batch(3));
    it.effects.propose.clear();
    it.core.proposal_refused(1, errc::overloaded, -1);
    REQUIRE(it.producer->outcomes.size() == 1);
    CHECK(it.outcome(0).error == errc::overloaded);
    it.produce(build_batch(1));
    const auto reader = it.fetch(0);
    CHECK(it.effects.propose.empty());
    CHECK_FALSE(it.core.is_quiet());
    // It would count on what is under way.
    it.core.tick(0, 5000, it.effects);
    CHECK(it.effects.propose.empty());
    it.commit();
    CHECK_FALSE(it.core.is_ready());
    CHECK(it.effects.propose.empty());

    // It failed, and no other term comes.
    it.core.tick(0, 5000, it.effects);
    CHECK(it.core.is_ready());
    CHECK(reader->outcomes.at(0).error == errc::none);
    it.commit();
    CHECK(it.producer->outcomes.back().second.error == errc::none);
    CHECK(it.producer->outcomes.back().second.base_offset == 2);
    CHECK(it.core.high_watermark() == 3);
  }

  TEST_CASE("a leader that was refused and comes to another term is ready with that") {
    lab it;
    it.lead();
    it.produce(build_batch(1));
    it.effects.propose.clear();
    it.core.proposal_refused(1, errc::overloaded, -1);
    it.core.lead(2);
    it.core.tick(0, 5000, it.effects);
    CHECK_FALSE(it.core.is_ready());
    it.lead(2);
    CHECK(it.core.is_ready());
  }

  TEST_CASE("more bytes than may be pending are refused as overloaded") {
    lab it;
    it.lead();
    for (int i = 0; i < 100; ++i)
      it.produce(build_batch(1));
    CHECK(it.outcome(0).error == errc::overloaded);
    it.commit();
    it.produce(build_batch(1));
    it.commit();
    CHECK(it.producer->outcomes.back().second.error == errc::none);
  }

  TEST_CASE("the topic's limits are kept") {
    config::topic_config topic;
    topic.message_bytes_max = 200;
    topic.compression = config::topic_compression::lz4;
    lab it(topic);
    it.lead();
    it.produce(build_batch(50));
    CHECK(it.outcome(0).error == errc::message_too_large);
    it.produce(build_batch(1));
    CHECK(it.outcome(1).error == errc::unsupported_codec);
    it.core.accept_writes(false);
    it.produce(build_batch(1));
    CHECK(it.outcome(2).error == errc::storage_full);
  }

  TEST_CASE("a conditional append names the end that it did not find") {
    lab it;
    it.lead();
    it.produce(build_batch(2), 0);
    it.produce(build_batch(2), 0);
    it.answer_rounds();
    it.commit();
    REQUIRE(it.producer->outcomes.size() == 2);
    CHECK(it.outcome(0).base_offset == 0);
    CHECK(it.outcome(1).error == errc::offset_conflict);
    CHECK(it.outcome(1).end_offset == 2);
  }

  TEST_CASE("append time is stamped and told") {
    config::topic_config topic;
    topic.timestamps = config::timestamp_type::log_append_time;
    lab it(topic);
    it.lead();
    it.produce(build_batch(1));
    const auto header = protocol::batch_view(it.effects.propose.at(0).body.bytes()).header();
    CHECK(header.is_append_time());
    CHECK(header.max_timestamp.value == 5000);
    it.commit();
    CHECK(it.outcome(0).append_time_ms == 5000);
  }

  TEST_CASE("a repeat while the first copy is under way is answered with it") {
    lab it;
    it.lead();
    it.produce(build_batch(1, idempotent(0)));
    it.produce(build_batch(1, idempotent(0)));
    CHECK(it.effects.propose.size() == 1);
    it.commit();
    REQUIRE(it.producer->outcomes.size() == 2);
    CHECK(it.outcome(0).base_offset == 0);
    CHECK(it.outcome(1).base_offset == 0);
  }

  TEST_CASE("a repeat of a conditional append is a repeat, not a conflict with its first copy") {
    lab it;
    it.lead();
    it.produce(build_batch(2, idempotent(0)), 0);
    it.produce(build_batch(2, idempotent(0)), 0);
    it.accept();
    // The first copy is under way: the repeat waits for it.
    CHECK(it.producer->outcomes.empty());
    it.commit();
    it.produce(build_batch(1, idempotent(2)), 2);
    it.commit();
    it.produce(build_batch(2, idempotent(0)), 0);
    REQUIRE(it.producer->outcomes.size() == 4);
    for (const std::size_t i : {0, 1, 3}) {
      CHECK(it.outcome(i).error == errc::none);
      CHECK(it.outcome(i).base_offset == 0);
    }
    CHECK(it.outcome(2).base_offset == 2);
    // What is not a repeat is held to its condition, and leaves no gap in the sequence.
    it.produce(build_batch(1, idempotent(3)), 0);
    it.answer_rounds();
    CHECK(it.outcome(4).error == errc::offset_conflict);
    CHECK(it.outcome(4).end_offset == 3);
    it.produce(build_batch(1, idempotent(3)), 3);
    it.commit();
    CHECK(it.outcome(5).base_offset == 3);
  }

  TEST_CASE("a producer of an old epoch is fenced") {
    lab it;
    it.lead();
    it.produce(build_batch(1, idempotent(0, 1)));
    it.commit();
    it.produce(build_batch(1, idempotent(1, 0)));
    it.answer_rounds();
    CHECK(it.outcome(1).error == errc::fenced_epoch);
  }

  TEST_CASE("the leader lists what is committed of each producer, in order of their ids") {
    lab it;
    const auto who = std::make_shared<listed_to>();
    // It is not known yet who leads: the answer comes when it is.
    it.core.list_producers({who, 0});
    CHECK(who->outcomes.empty());
    it.lead();
    REQUIRE(who->outcomes.size() == 1);
    CHECK(who->outcomes[0].producers.empty());

    auto other = idempotent(0);
    other.producer = producer_id(3);
    it.produce(build_batch(2, idempotent(0)));
    it.produce(build_batch(1, other));
    it.commit();
    it.produce(build_batch(3, idempotent(2)));
    it.commit();
    // Under way: it may be lost yet.
    it.produce(build_batch(1, idempotent(5)));
    it.core.list_producers({who, 0});
    REQUIRE(who->outcomes.size() == 2);
    CHECK(who->outcomes[1].producers ==
          std::vector<active_producer>{{3, 0, 0, 1000}, {77, 0, 4, 1002}});

    it.core.follow(2, 2, it.effects);
    it.core.list_producers({who, 0});
    REQUIRE(who->outcomes.size() == 3);
    CHECK(who->outcomes[2].error == errc::not_leader);
    CHECK(who->outcomes[2].producers.empty());
  }

  TEST_CASE("what was proposed and lost does not count as a producer's last batch") {
    lab it;
    it.lead(1);
    it.produce(build_batch(1, idempotent(0)));
    it.effects.propose.clear();
    it.core.follow(2, -1, it.effects);
    it.core.proposal_refused(1, errc::not_leader, -1);
    it.lead(3);
    it.produce(build_batch(1, idempotent(0)));
    it.commit();
    CHECK(it.outcome(1).error == errc::none);
    CHECK(it.outcome(1).base_offset == 0);
  }

  TEST_CASE("another leader's entry in the place of a batch does not acknowledge it") {
    lab it;
    it.lead(1);
    it.produce(build_batch(1));
    it.produce(build_batch(1));
    it.accept();
    // Before it is even said that leadership was lost.
    it.current_term = 2;
    it.commit_entry(raft::entry_kind::records, build_batch(1));
    REQUIRE(it.producer->outcomes.size() == 2);
    for (const std::size_t i : {0, 1})
      CHECK(it.outcome(i).error == errc::not_leader);
  }

  TEST_CASE("a batch that is not committed in time is answered as timed out") {
    lab it;
    it.lead();
    it.produce(build_batch(1), -1, 50);
    it.accept();
    it.core.tick(49, 5000, it.effects);
    CHECK(it.producer->outcomes.empty());
    it.core.tick(50, 5000, it.effects);
    REQUIRE(it.producer->outcomes.size() == 1);
    CHECK(it.outcome(0).error == errc::timed_out);
    it.commit();
    CHECK(it.producer->outcomes.size() == 1);
  }

  TEST_CASE("a waiting fetch gets the next batch, and more than one if it asked for more") {
    lab it;
    it.lead();
    const auto one = it.fetch(0, true);
    const auto many = it.fetch(0, true, 150);
    CHECK(one->outcomes.at(0).waiting);
    it.produce(build_batch(1));
    it.commit();
    CHECK(one->outcomes.size() == 2);
    CHECK(many->outcomes.size() == 1);
    it.produce(build_batch(1));
    it.produce(build_batch(1));
    it.commit();
    REQUIRE(many->outcomes.size() == 2);
    CHECK(many->outcomes.at(1).records.size() >= 150);
    CHECK(it.core.waiters() == 0);
  }

  TEST_CASE("a cancelled fetch is forgotten") {
    lab it;
    it.lead();
    const auto waiting = it.fetch(0, true);
    it.core.cancel_fetch(waiting.get());
    CHECK(it.core.waiters() == 0);
  }

  TEST_CASE("of many waiting fetches only the cancelled one is forgotten") {
    lab it;
    it.lead();
    const auto first = it.fetch(0, true);
    const auto second = it.fetch(0, true);
    const auto third = it.fetch(0, true);
    it.core.cancel_fetch(second.get());
    it.core.cancel_fetch(second.get());
    CHECK(it.core.waiters() == 2);
    it.produce(build_batch(1));
    it.commit();
    CHECK(first->outcomes.size() == 2);
    CHECK(second->outcomes.size() == 1);
    CHECK(third->outcomes.size() == 2);
    CHECK(it.core.waiters() == 0);
  }

  TEST_CASE("an offset out of range is answered with the valid range") {
    lab it;
    it.lead();
    it.produce(build_batch(4));
    it.commit();
    const auto asked = it.fetch(9);
    it.answer_rounds();
    const auto outcome = asked->outcomes.at(0);
    CHECK(outcome.error == errc::offset_out_of_range);
    CHECK(outcome.message.find("0 to 4") != std::string::npos);
  }

  TEST_CASE("what is no longer cached is read from the disk within the commit index") {
    lab it({}, 1);
    it.lead();
    for (int i = 0; i < 3; ++i) {
      it.produce(build_batch(1));
      it.commit();
    }
    const auto fetched = it.fetch(0);
    REQUIRE(it.effects.reads.size() == 1);
    CHECK(it.effects.reads[0].offset == 0);
    CHECK(it.effects.reads[0].commit_index == 4);
    it.core.read_done(it.effects.reads[0].token,
                      read_answer{buffer_chain(buffer::copy_of("bytes")), 1}, it.effects);
    REQUIRE(fetched->outcomes.size() == 1);
    CHECK(fetched->outcomes[0].records.size() == 5);
    CHECK(fetched->budget == (1 << 20) - 5);
  }

  TEST_CASE("a fetch without budget gets nothing and takes nothing") {
    lab it;
    it.lead();
    it.produce(build_batch(1));
    it.commit();
    auto sink = std::make_shared<fetched_to>();
    sink->budget = 0;
    it.core.fetch({sink, 0, 0, 100, 1, -1, false}, 0, it.effects);
    REQUIRE(sink->outcomes.size() == 1);
    CHECK(sink->outcomes[0].records.empty());
  }

  TEST_CASE("a subscription is pushed what commits while it has credit") {
    lab it;
    it.lead();
    it.produce(build_batch(1));
    it.commit();
    const auto sink = std::make_shared<pushed_to>();
    sink->credit = 1;
    it.core.subscribe({sink, 0, 0, -2, 1000}, it.effects);
    REQUIRE(sink->starts.size() == 1);
    CHECK(sink->outcomes.size() == 1);
    CHECK(sink->credit < 0);
    it.produce(build_batch(1));
    it.commit();
    CHECK(sink->outcomes.size() == 1);
    sink->credit = 1000;
    it.core.credited(sink.get(), it.effects);
    CHECK(sink->outcomes.size() == 2);
    it.core.unsubscribe(sink.get());
    it.produce(build_batch(1));
    it.commit();
    CHECK(sink->outcomes.size() == 2);
  }

  TEST_CASE("a subscription ends with the reason when its next record was deleted") {
    lab it;
    it.lead();
    for (int i = 0; i < 3; ++i)
      it.produce(build_batch(1));
    it.commit();
    const auto sink = std::make_shared<pushed_to>();
    it.core.subscribe({sink, 0, 0, 0, 1000}, it.effects);
    const auto asker = std::make_shared<asked_by>();
    it.core.trim({asker, 0, 2, 100}, it.effects);
    it.commit();
    REQUIRE(sink->outcomes.size() == 1);
    CHECK(sink->outcomes[0].error == errc::offset_out_of_range);
    CHECK(it.core.subscribers() == 0);
  }

  TEST_CASE("a trim moves the start through the log and asks for the files to go") {
    lab it;
    it.lead();
    it.produce(build_batch(5));
    it.commit();
    const auto asker = std::make_shared<asked_by>();
    it.core.trim({asker, 0, 3, 100}, it.effects);
    CHECK(asker->trims.empty());
    it.commit();
    REQUIRE(asker->trims.size() == 1);
    CHECK(asker->trims[0].log_start == 3);
    REQUIRE(it.effects.persist);
    CHECK(it.effects.persist->trim_before == 3);
    it.core.trim({asker, 0, 6, 100}, it.effects);
    CHECK(asker->trims.at(1).error == errc::offset_out_of_range);
    it.core.trim({asker, 0, 1, 100}, it.effects);
    CHECK(asker->trims.at(2).log_start == 3);
  }

  TEST_CASE("state is written after so many bytes, and then only when it changed") {
    lab it;
    it.lead();
    it.core.persist_now(it.effects);
    CHECK(it.effects.persist);
    it.effects.persist.reset();
    it.core.persist_now(it.effects);
    CHECK_FALSE(it.effects.persist);
  }

  TEST_CASE("a partition out of service says why to everyone, for ever") {
    lab it;
    it.lead();
    const auto waiting = it.fetch(0, true);
    it.produce(build_batch(1));
    it.core.fail({errc::storage_failed, "sync failed"});
    CHECK(waiting->outcomes.back().error == errc::storage_failed);
    CHECK(it.outcome(0).error == errc::storage_failed);
    it.produce(build_batch(1));
    CHECK(it.outcome(1).error == errc::storage_failed);
    CHECK(it.outcome(1).message == "sync failed");
    CHECK(it.fetch(0)->outcomes.at(0).error == errc::storage_failed);
  }

  TEST_CASE("a repeat of what was given up at a stop is not acknowledged as a repeat") {
    lab it;
    it.lead();
    it.produce(build_batch(1, idempotent(0)));
    it.core.close(errc::shutting_down);
    CHECK(it.outcome(0).error == errc::shutting_down);
    it.produce(build_batch(1, idempotent(0)));
    CHECK(it.outcome(1).error == errc::shutting_down);
    // Nor after other entries of the term were committed meanwhile.
    it.commit_entry(raft::entry_kind::noop, {});
    it.produce(build_batch(1, idempotent(0)));
    CHECK(it.outcome(2).error == errc::shutting_down);
  }

  TEST_CASE("a log that does not fit the state breaks an invariant loudly") {
    lab it;
    it.lead();
    auto batch = build_batch(1);
    CHECK_THROWS_AS(
        [&] {
          mutable_buffer bytes(batch.size());
          std::memcpy(bytes.data(), batch.data(), batch.size());
          protocol::stamp_batch(bytes.data(), offset_t(5), leader_epoch(1));
          it.commit_entry(raft::entry_kind::records, bytes.freeze());
        }(),
        invariant_violation);
  }

  TEST_CASE("retention and idle producers are handled through the log") {
    lab it;
    it.lead();
    it.produce(build_batch(3, idempotent(0)));
    it.commit();
    CHECK(it.core.producers() == 1);
    it.core.tick(0, 60'000, it.effects);
    REQUIRE(it.effects.retention);
    it.core.retention_found(2, it.effects);
    it.commit();
    CHECK(it.core.log_start() == 2);
    it.core.tick(0, 60'000 + day_ms, it.effects);
    it.commit();
    CHECK(it.core.producers() == 1);
    it.core.tick(0, 60'001 + 2 * day_ms, it.effects);
    it.commit();
    CHECK(it.core.producers() == 0);
  }

  TEST_CASE("the age of a producer is the leader's time, whatever its records are dated") {
    lab it;
    it.lead();
    auto now_ms = 365 * day_ms;
    // 77 writes what is a year old, another one what a wrong clock dates far ahead.
    it.produce(build_batch(3, idempotent(0)));
    it.produce(batch_dated(now_ms + 365 * day_ms));
    it.commit();
    it.core.tick(0, now_ms, it.effects);
    it.commit();
    it.core.tick(0, now_ms += day_ms / 2, it.effects);
    it.commit();
    it.produce(build_batch(3, idempotent(0)));
    it.answer_rounds();
    CHECK(it.producer->outcomes.back().second.base_offset == 0);
    CHECK(it.core.high_watermark() == 4);
    // What a producer writes between two looks makes it as new as the second.
    it.produce(build_batch(2, idempotent(3)));
    it.commit();
    it.core.tick(0, now_ms += day_ms, it.effects);
    it.commit();
    it.core.tick(0, now_ms += day_ms, it.effects);
    it.commit();
    it.produce(build_batch(2, idempotent(3)));
    it.answer_rounds();
    CHECK(it.producer->outcomes.back().second.base_offset == 4);
    CHECK(it.core.producers() == 1);
  }
}

TEST_SUITE("actors.partition_command") {
  TEST_CASE("commands and summaries come back as they were, and nothing else passes") {
    const partition_command trim = trim_command{42};
    const partition_command check = check_producers_command{7, 3};
    CHECK(*decode_partition_command(encode(trim).bytes()) == trim);
    CHECK(*decode_partition_command(encode(check).bytes()) == check);
    const partition_command old = expire_producers_command{9};
    CHECK(*decode_partition_command(encode(old).bytes()) == old);
    std::vector<std::byte> unknown(9, std::byte{0});
    unknown[0] = std::byte{4};
    CHECK_FALSE(decode_partition_command(unknown));
    const partition_summary summary{1, 2, 3, 4};
    CHECK(*decode_partition_summary(encode(summary).bytes()) == summary);
    for (std::size_t size = 0; size < encode(trim).size(); ++size)
      CHECK_FALSE(decode_partition_command(encode(trim).slice(0, size).bytes()));
    for (std::size_t size = 0; size < encode(check).size(); ++size)
      CHECK_FALSE(decode_partition_command(encode(check).slice(0, size).bytes()));
    for (std::size_t size = 0; size < encode(summary).size(); ++size)
      CHECK_FALSE(decode_partition_summary(encode(summary).slice(0, size).bytes()));
  }
}

TEST_SUITE("actors.tail_cache") {
  TEST_CASE("the cache serves from any batch that it holds, at least one") {
    tail_cache cache(std::make_shared<cache_budget>(1 << 20));
    for (int i = 0; i < 10; ++i)
      cache.push(i * 2, i * 2 + 2, buffer::copy_of(std::string(100, 'x')));
    const auto found = cache.read(5, 250);
    REQUIRE(found);
    CHECK(found->batches.size() == 200);
    CHECK(found->next_offset == 8);
    CHECK(cache.read(0, 1)->batches.size() == 100);
    CHECK_FALSE(cache.read(20, 100));
    cache.drop_before(5);
    CHECK_FALSE(cache.read(3, 100));
    CHECK(cache.read(4, 100));
  }

  TEST_CASE("the budget of all caches is kept, and given back") {
    const auto budget = std::make_shared<cache_budget>(1000);
    {
      tail_cache a(budget);
      tail_cache b(budget);
      for (int i = 0; i < 50; ++i) {
        a.push(i, i + 1, buffer::copy_of(std::string(100, 'x')));
        b.push(i, i + 1, buffer::copy_of(std::string(100, 'x')));
      }
      CHECK(budget->used() < 2000);
      a.shrink();
      CHECK(b.read(49, 1));
    }
    CHECK(budget->used() == 0);
  }

  TEST_CASE("a batch that does not follow the last one begins anew") {
    tail_cache cache(std::make_shared<cache_budget>(1 << 20));
    cache.push(0, 1, buffer::copy_of("a"));
    cache.push(5, 6, buffer::copy_of("b"));
    CHECK_FALSE(cache.read(0, 1));
    CHECK(cache.read(5, 1));
  }
}

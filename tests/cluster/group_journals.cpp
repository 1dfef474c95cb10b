#include "tests/cluster/group_journals.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace aqueduct::test {

namespace {

/// Takes words off the front of a line.
class words {
public:
  explicit words(std::string_view text) : rest_(text) {}

  [[nodiscard]] std::string_view next() {
    rest_.remove_prefix(std::min(rest_.size(), rest_.find_first_not_of(' ')));
    const auto end = std::min(rest_.size(), rest_.find(' '));
    const auto word = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return word;
  }
  [[nodiscard]] std::string_view rest() const {
    return rest_.starts_with(' ') ? rest_.substr(1) : rest_;
  }

private:
  std::string_view rest_;
};

/// The number that `text` begins with.
template <class T = int>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() ? std::optional(value) : std::nullopt;
}

/// The number behind the first `mark`.
template <class T = int>
std::optional<T> number_after(std::string_view text, std::string_view mark) {
  const auto at = text.find(mark);
  return at == text.npos ? std::nullopt : number<T>(text.substr(at + mark.size()));
}

/// "... in join-state S: why"
std::string reason_of(std::string_view text) {
  const auto state = text.find("in join-state ");
  const auto colon = text.find(": ", std::min(state, text.size()));
  return std::string(colon == text.npos ? "" : text.substr(colon + 2));
}

/// Where a line of librdkafka's log, "%7|...", begins in the text; npos: it has none.
std::size_t log_line_in(std::string_view text) {
  for (auto at = text.find('%'); at != text.npos; at = text.find('%', at + 1))
    if (at + 2 < text.size() && text[at + 1] >= '0' && text[at + 1] <= '7' && text[at + 2] == '|')
      return at;
  return text.npos;
}

/// What comes behind `prefix`, if the text begins so.
std::optional<std::string_view> behind(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix))
    return std::nullopt;
  return text.substr(prefix.size());
}

} // namespace

// -- the client library's -------------------------------------------------------------------------

void native_journal::unreadable(std::string_view text) {
  to_.found_wrong(member_ + " says: " + std::string(text));
}

void native_journal::line(std::string_view text) {
  words in(text);
  const auto what = in.next();
  if (what == "read") {
    const auto partition = number(in.next());
    const auto offset = number<std::int64_t>(in.next());
    return partition && offset ? to_.read(member_, *partition, *offset, in.rest())
                               : unreadable(text);
  }
  if (what == "left" || what == "refused" || what == "trouble")
    return;
  std::optional<int> generation;
  if (what == "assigned" || what == "committed") {
    generation = number(in.next());
    if (!generation)
      return unreadable(text);
  } else if (what != "revoked" && what != "lost") {
    return unreadable(text);
  }
  std::vector<int> partitions;
  for (auto word = in.next(); !word.empty(); word = in.next()) {
    const auto partition = number(word);
    const auto offset = number_after<std::int64_t>(word, ":");
    if (!partition || (what == "committed" && !offset))
      return unreadable(text);
    if (what == "committed")
      to_.committed(member_, *generation, *partition, *offset);
    partitions.push_back(*partition);
  }
  if (what == "assigned")
    to_.assigned(member_, *generation, partitions);
  else if (what != "committed")
    to_.gave_up(member_, partitions);
}

// -- kcat's ---------------------------------------------------------------------------------------

void kcat_journal::line(std::string_view text) {
  if (const auto record = behind(text, "read ")) {
    words in(*record);
    const auto partition = number(in.next());
    const auto offset = number<std::int64_t>(in.next());
    if (partition && offset)
      to_.read(member_, *partition, *offset, in.rest());
    return;
  }
  if (text.starts_with("% Group ") || (!begun_.empty() && !text.starts_with('%'))) {
    piece(text);
    return;
  }
  if (const auto at = text.find("]: "); text.starts_with("%7|") && at != text.npos)
    debug(text.substr(text.find("|", 3) + 1));
}

/// kcat prints each partition by itself, and librdkafka's threads write lines of their own.
void kcat_journal::piece(std::string_view text) {
  const auto other = log_line_in(text);
  begun_ += text.substr(0, other);
  if (other != text.npos)
    line(text.substr(other));
  else
    rebalanced(std::exchange(begun_, {}));
}

/// "% Group G rebalanced (memberid M): assigned: t [2], t [3]", or cooperatively "% Group G
/// rebalanced: incremental assignment of 2 partition(s) (memberid M, ...): t [2], t [3]"; and the
/// same of what is revoked.
void kcat_journal::rebalanced(std::string_view text) {
  const auto what = text.substr(0, text.find("): ") + 12);
  std::vector<int> partitions;
  const auto list = text.substr(std::min(text.size(), text.find("): ") + 3));
  for (auto at = list.find('['); at != list.npos; at = list.find('[', at + 1))
    if (const auto partition = number(list.substr(at + 1)))
      partitions.push_back(*partition);
  const auto says = [&](std::string_view word) { return what.find(word) != what.npos; };
  if (says("incremental assignment") || says("): assigned"))
    to_.assigned(member_, generation_, partitions);
  else if (says("incremental revoke") || says("incremental unassign") || says("): revoked"))
    to_.gave_up(member_, partitions);
  else
    to_.found_wrong(member_ + " says: " + std::string(text));
}

/// "FACILITY|client| [thread]: words"
void kcat_journal::debug(std::string_view text) {
  const auto facility = text.substr(0, text.find('|'));
  const auto said = text.substr(text.find("]: ") + 3);
  if (std::exchange(lists_, lists_ && facility == "GRPASSIGNMENT") && facility == "GRPASSIGNMENT") {
    if (said.find("List with") == said.npos)
      if (const auto partition = number_after(said, "["))
        to_.owns(member_, generation_, {*partition});
    return;
  }
  if (facility == "JOINGROUP" && said.find("(no error)") != said.npos) {
    if (const auto generation = number_after(said, "GenerationId "))
      generation_ = *generation;
  } else if (facility == "ASSIGNMENT" && said.find("setting group assignment to") != said.npos) {
    lists_ = true;
  } else if (facility == "OFFSET" && said.find("setting stored offset") != said.npos) {
    const auto partition = number_after(said, "[");
    const auto offset = number_after<std::int64_t>(said, "setting stored offset ");
    if (partition && offset)
      next_commit_.emplace_back(*partition, *offset);
  } else if (facility == "CONSUMER" && said.starts_with("Start consuming ")) {
    const auto partition = number_after(said, "[");
    const auto offset = number_after<std::int64_t>(said, "at offset ");
    if (partition && offset)
      to_.begins(member_, *partition, *offset);
  } else if (facility == "PAUSE" && said.starts_with("Pause ")) {
    const auto partition = number_after(said, "[");
    const auto offset = number_after<std::int64_t>(said, "at offset ");
    if (partition && offset)
      to_.set_back(member_, *partition, *offset);
  } else if (facility == "OFFSET" && said.find("Enqueue OffsetCommitRequest(") != said.npos) {
    // "...: Enqueue OffsetCommitRequest(v7, 1/2 partition(s))): why", of the commit just sent.
    const auto listed = number_after(said.substr(said.find("Enqueue ")), "/");
    if (listed && !commits_.empty())
      commits_.back().listed = *listed;
  } else if (facility == "REMOVE" && said.starts_with("Removing ")) {
    const auto partition = number_after(said, "[");
    const auto offset = number_after<std::int64_t>(said, "stored offset=");
    if (partition && offset && *offset >= 0)
      next_commit_.emplace_back(*partition, *offset);
  } else if (facility == "COMMIT") {
    if (said.find("Committing offsets for ") != said.npos || said.starts_with("Deferring "))
      sent_or_put_off(said);
    else
      answered(said);
  }
}

/// "...: Committing offsets for 2 partition(s) with generation-id 4 in join-state S: why", or, of
/// one that waits for a coordinator, "Deferring "why" offset commit for 2 partition(s) in state
/// ...". A commit keeps the offsets that it had when it was first sent or put off.
void kcat_journal::sent_or_put_off(std::string_view text) {
  if (const auto quoted = behind(text, "Deferring \"")) {
    const auto partitions = number_after(text, "offset commit for ");
    if (partitions && !next_commit_.empty())
      put_off_.push_back({-1, *partitions, std::string(quoted->substr(0, quoted->find('"'))),
                          std::exchange(next_commit_, {}), *partitions});
    return;
  }
  const auto partitions = number_after(text, "Committing offsets for ");
  const auto generation = number_after(text, "with generation-id ");
  if (!partitions || !generation)
    return;
  commit one{*generation, *partitions, reason_of(text), std::exchange(next_commit_, {}),
             *partitions};
  if (one.rows.empty()) {
    const auto waited = std::ranges::find_if(put_off_, [&](const commit& each) {
      return each.partitions == one.partitions && each.reason == one.reason;
    });
    if (waited != put_off_.end()) {
      one.rows = std::move(waited->rows);
      put_off_.erase(waited);
    }
  }
  // Whoever sends another number of offsets than were told: they are not known.
  if (one.rows.size() != static_cast<std::size_t>(one.partitions))
    one.rows.clear();
  commits_.push_back(std::move(one));
}

/// "...: OffsetCommit for 2 partition(s) in join-state S: why: returned: Success"
void kcat_journal::answered(std::string_view text) {
  const auto partitions = number_after(text, "OffsetCommit for ");
  const auto at = text.find(": returned: ");
  if (!partitions || at == text.npos)
    return;
  const auto outcome = text.substr(at + std::string_view(": returned: ").size());
  const auto reason = reason_of(text.substr(0, at));
  if (outcome == "Local: Waiting for coordinator") {
    // It was given up while it was put off.
    const auto waited = std::ranges::find_if(put_off_, [&](const commit& each) {
      return each.partitions <= *partitions && each.reason == reason;
    });
    if (waited != put_off_.end())
      put_off_.erase(waited);
    return;
  }
  const auto one = std::ranges::find_if(
      commits_, [&](const commit& each) { return each.is_like(*partitions, reason); });
  if (one == commits_.end())
    return;
  if (outcome == "Success") {
    succeeded(one);
  } else if (outcome == "Local: Operation in progress") {
    // It is sent again, and may be answered after newer ones.
    const auto first = std::ranges::find_if(commits_, [&](const commit& each) {
      return each.is_like(*partitions, reason) && !each.is_repeated;
    });
    (first == commits_.end() ? *one : *first).is_repeated = true;
  } else {
    if (outcome == "Broker: Not coordinator" || outcome == "Broker: Coordinator not available" ||
        outcome == "Local: Broker transport failure")
      put_off_.push_back(std::move(*one));
    commits_.erase(one);
  }
}

/// The oldest of several that look alike may not be the one that was answered, if any of them was
/// sent again. Then it counts now, and once more after each of the others.
void kcat_journal::succeeded(std::deque<commit>::iterator one) {
  auto done = std::move(*one);
  commits_.erase(one);
  const auto is_like = [&](const commit& each) { return each.is_like(done.listed, done.reason); };
  const bool is_sure = !done.is_repeated && std::ranges::none_of(commits_, [&](const auto& each) {
    return is_like(each) && each.is_repeated;
  });
  if (!is_sure)
    for (auto& each : commits_)
      if (is_like(each))
        each.mistakable.emplace_back(done.generation, done.rows);
  counts(done.generation, done.rows);
  for (const auto& [generation, rows] : done.mistakable)
    counts(generation, rows);
}

void kcat_journal::counts(int generation, const offsets& rows) {
  for (const auto& [partition, offset] : rows)
    to_.committed(member_, generation, partition, offset, true);
}

} // namespace aqueduct::test

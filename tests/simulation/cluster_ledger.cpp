#include "tests/simulation/cluster_ledger.hpp"

#include <algorithm>
#include <set>

namespace aqueduct::actors::test {

namespace {

/// One fault shows in many places.
constexpr std::size_t sentences_max = 20;

std::string name_of(const cluster_ledger::place& at, std::int64_t offset) {
  return to_string(at.first).substr(0, 8) + "/" + std::to_string(at.second) + "@" +
         std::to_string(offset);
}

} // namespace

void cluster_ledger::broke(std::string sentence) {
  if (broken_.size() < sentences_max)
    broken_.push_back(std::move(sentence));
}

/// FNV-1a, 64 bits.
void cluster_ledger::mix(const std::string& text) {
  for (const char c : text)
    digest_ = (digest_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
}

void cluster_ledger::saw(const place& at, std::int64_t offset, const std::string& value) {
  ++seen_;
  const auto [first, is_new] = logs_[at].seen.emplace(offset, value);
  if (!is_new && first->second != value)
    broke(name_of(at, offset) + " holds " + value + " and " + first->second);
  if (is_new)
    mix(name_of(at, offset) + value);
}

void cluster_ledger::acknowledge(const place& at, std::int64_t offset, const std::string& value) {
  ++acknowledged_;
  const auto [first, is_new] = logs_[at].acknowledged.emplace(offset, value);
  if (!is_new && first->second != value)
    broke(name_of(at, offset) + " was acknowledged for " + value + " and " + first->second);
  saw(at, offset, value);
}

void cluster_ledger::trimmed(const place& at, std::int64_t before) {
  ++trims;
  auto& start = logs_[at].log_start;
  start = std::max(start, before);
}

void cluster_ledger::close(const place& at, std::int64_t log_start,
                           const std::map<std::int64_t, std::string>& values) {
  auto& known = logs_[at];
  for (const auto& [offset, value] : known.acknowledged) {
    if (offset < std::max(log_start, known.log_start))
      continue;
    const auto there = values.find(offset);
    if (there == values.end())
      broke(name_of(at, offset) + " is lost: " + value + " was acknowledged");
    else if (there->second != value)
      broke(name_of(at, offset) + " holds " + there->second + ", acknowledged was " + value);
  }
  std::int64_t next = log_start;
  std::map<std::string, std::int32_t> last;
  for (const auto& [offset, value] : values) {
    saw(at, offset, value);
    if (offset != next)
      broke(name_of(at, next) + " is missing");
    next = offset + 1;
    const auto slash = value.find('/');
    const auto producer = value.substr(0, slash);
    const auto number = std::stoi(value.substr(slash + 1));
    const auto [before, is_first] = last.emplace(producer, number);
    if (!is_first && number != before->second + 1)
      broke(name_of(at, offset) + " holds " + value + " behind " + producer + "/" +
            std::to_string(before->second));
    before->second = number;
  }
}

} // namespace aqueduct::actors::test

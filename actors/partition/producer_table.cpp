#include "actors/partition/producer_table.hpp"

#include "actors/defects.hpp"
#include "protocol/bytes.hpp"

#include <algorithm>

namespace aqueduct::actors {

namespace {

using kind = producer_table::verdict::kind;

constexpr std::uint8_t producer_version = 2;
/// It has no `seen_ms`.
constexpr std::uint8_t oldest_version = 1;

producer_table::verdict refuse(errc code, std::string message) {
  producer_table::verdict v;
  v.what = kind::refuse;
  v.error = code;
  v.message = std::move(message);
  return v;
}

/// Whether the batch lies before all that are remembered. Of fewer than the most that there can be,
/// nobody knows what came before the first: it may be under way still.
bool is_older(std::int32_t first, std::int32_t last, const producer_entry& known) {
  if (known.batches.size() < producer_table::batches_max)
    return false;
  // Sequences wrap: the half of them before the oldest is older.
  constexpr std::uint32_t half = 0x40000000u;
  const auto to_oldest = [&](std::int32_t sequence) {
    return (static_cast<std::uint32_t>(known.batches.front().first_sequence) -
            static_cast<std::uint32_t>(sequence)) &
           0x7fffffffu;
  };
  return to_oldest(last) > 0 && to_oldest(last) <= to_oldest(first) && to_oldest(first) < half;
}

} // namespace

const producer_entry* producer_table::newest(std::int64_t producer) const {
  if (const auto it = speculative_.find(producer); it != speculative_.end())
    return &it->second.entry;
  const auto it = committed_.find(producer);
  return it == committed_.end() ? nullptr : &it->second;
}

producer_table::verdict producer_table::check(const protocol::batch_header& header) const {
  if (header.base_sequence < 0)
    return refuse(errc::invalid_message,
                  "an idempotent batch needs a base sequence of 0 or more, it has " +
                      std::to_string(header.base_sequence));
  const auto* known = newest(header.producer.value);
  if (known == nullptr)
    return {};
  if (header.producer_epoch < known->epoch)
    return refuse(errc::fenced_epoch, "producer " + std::to_string(header.producer.value) +
                                          " has epoch " + std::to_string(known->epoch) +
                                          " now; this batch is of epoch " +
                                          std::to_string(header.producer_epoch));
  if (header.producer_epoch > known->epoch) {
    if (header.base_sequence == 0)
      return {};
    return refuse(errc::out_of_order_sequence,
                  "the first batch of a new producer epoch starts with sequence 0, not " +
                      std::to_string(header.base_sequence));
  }
  const auto first = header.base_sequence;
  const auto last = header.last_sequence();
  for (const auto& batch : known->batches) {
    if (batch.first_sequence != first || batch.last_sequence != last)
      continue;
    if (has_defect(defect::repeats_appended))
      return {};
    if (has_defect(defect::newest_batch_not_remembered) && &batch == &known->batches.back())
      continue;
    verdict v;
    v.what = kind::duplicate;
    v.base_offset = batch.base_offset;
    v.timestamp_ms = batch.timestamp_ms;
    const auto it = committed_.find(header.producer.value);
    v.pending = it == committed_.end() ||
                std::ranges::find(it->second.batches, batch) == it->second.batches.end();
    return v;
  }
  const auto expected = protocol::sequence_after(known->batches.back().last_sequence, 1);
  if (first == expected)
    return {};
  if (is_older(first, last, *known))
    return refuse(errc::duplicate_sequence, "sequence " + std::to_string(first) +
                                                " was stored before; the next one is " +
                                                std::to_string(expected));
  return refuse(errc::out_of_order_sequence, "expected sequence " + std::to_string(expected) +
                                                 ", the batch starts with " +
                                                 std::to_string(first));
}

void producer_table::remember(producer_entry& entry, const protocol::batch_header& header,
                              std::int64_t base_offset) {
  if (entry.epoch != header.producer_epoch)
    entry.batches.clear();
  entry.epoch = header.producer_epoch;
  entry.batches.push_back(
      {header.base_sequence, header.last_sequence(), base_offset, header.max_timestamp.value});
  if (entry.batches.size() > batches_max)
    entry.batches.pop_front();
  entry.seen_ms = producer_entry::just_now;
}

void producer_table::append(const protocol::batch_header& header, std::int64_t base_offset) {
  const auto producer = header.producer.value;
  auto it = speculative_.find(producer);
  if (it == speculative_.end()) {
    speculation fresh;
    if (const auto known = committed_.find(producer); known != committed_.end())
      fresh.entry = known->second;
    it = speculative_.emplace(producer, std::move(fresh)).first;
  }
  remember(it->second.entry, header, base_offset);
  ++it->second.in_flight;
}

void producer_table::commit(const protocol::batch_header& header, std::int64_t base_offset) {
  const auto producer = header.producer.value;
  remember(committed_[producer], header, base_offset);
  changed_[producer] = true;
  const auto it = speculative_.find(producer);
  if (it != speculative_.end() && --it->second.in_flight == 0)
    speculative_.erase(it);
}

void producer_table::look(std::int64_t now_ms, std::int64_t before_ms) {
  for (auto it = committed_.begin(); it != committed_.end();) {
    auto& [producer, entry] = *it;
    const bool wrote = entry.seen_ms == producer_entry::just_now;
    if (wrote)
      entry.seen_ms = now_ms;
    const bool is_forgotten = entry.seen_ms < before_ms;
    if (wrote || is_forgotten)
      changed_[producer] = true;
    it = is_forgotten ? committed_.erase(it) : std::next(it);
  }
}

bool producer_table::has_to_look(std::int64_t before_ms) const {
  static_assert(producer_entry::just_now < 0);
  return std::ranges::any_of(committed_, [&](const auto& item) {
    return item.second.seen_ms < std::max<std::int64_t>(before_ms, 0);
  });
}

std::vector<active_producer> producer_table::list() const {
  std::vector<active_producer> all;
  all.reserve(committed_.size());
  for (const auto& [producer, entry] : committed_) {
    const auto& last = entry.batches.back();
    all.push_back({producer, entry.epoch, last.last_sequence, last.timestamp_ms});
  }
  std::ranges::sort(all, {}, &active_producer::producer);
  return all;
}

std::map<std::int64_t, std::optional<producer_entry>> producer_table::take_changes() {
  std::map<std::int64_t, std::optional<producer_entry>> changes;
  for (const auto& [producer, flag] : changed_) {
    const auto it = committed_.find(producer);
    changes.emplace(producer, it == committed_.end() ? std::nullopt
                                                     : std::optional<producer_entry>(it->second));
  }
  changed_.clear();
  return changes;
}

void producer_table::restore(std::int64_t producer, producer_entry entry) {
  committed_[producer] = std::move(entry);
}

buffer encode(const producer_entry& entry) {
  std::vector<std::byte> bytes;
  byte_writer out(bytes);
  out.write(producer_version);
  out.write(entry.epoch);
  out.write(entry.seen_ms);
  out.write_varint(entry.batches.size());
  for (const auto& batch : entry.batches) {
    out.write(batch.first_sequence);
    out.write(batch.last_sequence);
    out.write(batch.base_offset);
    out.write(batch.timestamp_ms);
  }
  return buffer::from(std::move(bytes));
}

result<producer_entry> decode_producer(byte_span bytes) {
  byte_reader in(bytes);
  producer_entry entry;
  const auto version = in.read<std::uint8_t>();
  entry.epoch = in.read<std::int16_t>();
  if (version == producer_version)
    entry.seen_ms = in.read<std::int64_t>();
  for (auto left = in.read_count(24); left > 0; --left) {
    remembered_batch batch;
    batch.first_sequence = in.read<std::int32_t>();
    batch.last_sequence = in.read<std::int32_t>();
    batch.base_offset = in.read<std::int64_t>();
    batch.timestamp_ms = in.read<std::int64_t>();
    entry.batches.push_back(batch);
  }
  if (in.failed() || version < oldest_version || version > producer_version || in.remaining() > 0 ||
      entry.batches.empty() || entry.batches.size() > producer_table::batches_max)
    return unexpected(errc::storage_damaged, "the stored state of a producer is malformed");
  return entry;
}

} // namespace aqueduct::actors

#include "protocol/client/internal/record_cursor.hpp"

#include <limits>

namespace aqueduct::client {

using namespace protocol;

namespace {

/// Whether the counts and offsets of a header can be true, so that sums of them do not overflow.
/// With `verify_checksums` off nothing else has looked at them.
result<void> check_offsets(batch_view batch) {
  constexpr auto offset_max = std::numeric_limits<std::int64_t>::max();
  const auto base = batch.base_offset().value;
  const auto delta = batch.last_offset_delta();
  if (delta < 0 || batch.record_count() < 0)
    return unexpected(errc::corrupt_batch, "a batch with a negative number of records");
  if (base < 0 || base >= offset_max - delta)
    return unexpected(errc::corrupt_batch,
                      "a batch with the impossible base offset " + std::to_string(base));
  return {};
}

} // namespace

void record_collector::truncate(std::size_t records_left) {
  for (auto i = records_left; i < records.size(); ++i) {
    payload_bytes -= records[i].key ? records[i].key->size() : 0;
    payload_bytes -= records[i].value ? records[i].value->size() : 0;
  }
  records.resize(records_left);
}

result<batches_end> find_end(byte_span batches, offset_t from) {
  std::optional<batches_end> end;
  for (;;) {
    auto batch = next_batch(batches);
    if (!batch)
      return batch.propagate();
    if (!*batch)
      break;
    if (auto sound = check_offsets(**batch); !sound)
      return sound.propagate();
    if (end && (*batch)->base_offset() < end->offset)
      return unexpected(errc::corrupt_batch, "the broker sent batches out of order");
    end = batches_end{(*batch)->next_offset(), (*batch)->epoch()};
  }
  if (!end || end->offset <= from)
    return unexpected(errc::corrupt_batch, "the broker sent batches that end before offset " +
                                               std::to_string(from.value) +
                                               ", which was asked for");
  return *end;
}

result<bool> record_cursor::open_batch() {
  for (;;) {
    const auto* start = rest_.data();
    auto batch = next_batch(rest_);
    if (!batch)
      return batch.propagate();
    if (!*batch)
      return false;
    const auto& view = **batch;
    if (how_.verify_checksums) {
      batch_limits limits;
      limits.batch_bytes_max = std::numeric_limits<std::size_t>::max();
      limits.origin = batch_origin::log;
      if (auto valid = validate_batch(view.bytes(), limits); !valid)
        return valid.propagate();
    }
    if (auto sound = check_offsets(view); !sound)
      return sound.propagate();
    if (view.next_offset() <= next_)
      continue;
    epoch_ = view.epoch();
    if (view.is_control()) {
      next_ = view.next_offset();
      continue;
    }
    const auto at = static_cast<std::size_t>(start - batches_.data());
    auto records =
        uncompressed_records(batches_.slice(at, view.size()), how_.decompressed_bytes_max);
    if (!records)
      return records.propagate();
    records_ = std::move(*records);
    reader_.open(view, records_.bytes());
    batch_end_ = view.next_offset();
    is_open_ = true;
    is_kept_ = false;
    return true;
  }
}

result<bool> record_cursor::fill(record_collector& into, const limits& until) {
  // Each call may fill another collector.
  is_kept_ = false;
  if (into.topics.empty() || into.topics.back() != topic_)
    into.topics.push_back(topic_);
  const auto is_full = [&] {
    return into.records.size() >= until.records_max ||
           (until.bytes_max > 0 && into.payload_bytes >= until.bytes_max);
  };
  protocol::record_view record;
  for (;;) {
    if (is_full())
      return false;
    if (!is_open_) {
      auto opened = open_batch();
      if (!opened)
        return opened.propagate();
      if (!*opened)
        return true;
    }
    while (reader_.next(record)) {
      if (record.offset < next_)
        continue;
      add(into, record);
      if (is_full())
        return false;
    }
    if (auto done = reader_.status(); !done)
      return done.propagate();
    // Compaction may have removed the last records of the batch.
    next_ = std::max(next_, batch_end_);
    is_open_ = false;
  }
}

void record_cursor::add(record_collector& into, const protocol::record_view& record) {
  if (!std::exchange(is_kept_, true))
    into.memory.push_back(records_);
  auto& view = into.records.emplace_back();
  view.topic = *topic_;
  view.partition = partition_;
  view.epoch = epoch_;
  view.offset = record.offset;
  view.timestamp = record.timestamp;
  if (record.key) {
    view.key = *record.key;
    into.payload_bytes += record.key->size();
  }
  if (record.value) {
    view.value = *record.value;
    into.payload_bytes += record.value->size();
  }
  if (!record.headers.empty()) {
    auto& headers = into.headers.emplace_back();
    headers.reserve(record.headers.size());
    for (const auto& each : record.headers)
      headers.push_back(
          {each.key, each.value ? std::optional<bytes_view>(*each.value) : std::nullopt});
    view.headers = headers;
  }
  next_ = record.offset.next();
}

} // namespace aqueduct::client

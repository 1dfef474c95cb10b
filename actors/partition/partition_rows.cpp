#include "actors/partition/partition_rows.hpp"

#include "protocol/bytes.hpp"

#include <span>

namespace aqueduct::actors {

namespace {

constexpr std::string_view producer_key_prefix = "producer/";

byte_span bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

} // namespace

std::string producer_key(std::int64_t producer) {
  std::string key(producer_key_prefix);
  std::byte number[8];
  store_be(number, producer);
  key.append(reinterpret_cast<const char*>(number), sizeof number);
  return key;
}

result<partition_core::restored_state> restore_rows(const std::vector<storage::kv_pair>& rows) {
  partition_core::restored_state state;
  for (const auto& [key, value] : rows) {
    if (key == summary_key) {
      auto summary = decode_partition_summary(bytes_of(value));
      if (!summary)
        return summary.propagate();
      state.summary = *summary;
    } else if (key.starts_with(producer_key_prefix) &&
               key.size() == producer_key_prefix.size() + 8) {
      auto producer = decode_producer(bytes_of(value));
      if (!producer)
        return producer.propagate();
      const auto number = bytes_of(std::string_view(key).substr(producer_key_prefix.size()));
      state.producers.emplace(load_be<std::int64_t>(number.data()), std::move(*producer));
    }
  }
  return state;
}

} // namespace aqueduct::actors

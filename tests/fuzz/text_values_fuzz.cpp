// Values that people write: addresses, durations, sizes, rates, times, offsets; and bytes as text.
// What is understood prints to what reads the same; what is not is described.
#include "apps/aq/encoding.hpp"
#include "apps/aq/offsets.hpp"
#include "apps/aq/segment_reader.hpp"
#include "apps/aq/units.hpp"
#include "config/endpoint.hpp"
#include "config/units.hpp"
#include "protocol/client/internal/endpoint.hpp"
#include "tests/fuzz/fuzz_input.hpp"

#include <cstdint>

using namespace aqueduct;
using namespace aqueduct::fuzz;

namespace {

constexpr timestamp_ms now(1'790'000'000'000);

template <class T>
void require_described(const result<T>& refused, errc code) {
  require(refused.has_value() || (refused.error().code == code && !refused.error().message.empty()),
          "what is refused is described");
}

void check_settings(std::string_view text) {
  const auto address = config::parse_endpoint(text);
  require_described(address, errc::invalid_config);
  if (address)
    require(config::parse_endpoint(to_string(*address)).value() == *address,
            "an address reads as it prints");
  const auto duration = config::parse_duration(text);
  require_described(duration, errc::invalid_config);
  if (duration)
    require(config::parse_duration(config::format_duration(*duration)).value() == *duration,
            "a duration reads as it prints");
  const auto size = config::parse_size(text);
  require_described(size, errc::invalid_config);
  if (size)
    require(config::parse_size(config::format_size(*size)).value() == *size,
            "a size reads as it prints");
  const auto broker = client::parse_endpoint(text);
  require_described(broker, errc::invalid_config);
  if (broker)
    require(client::parse_endpoint(to_string(*broker)).value() == *broker,
            "a broker's address reads as it prints");
}

void check_arguments(std::string_view text) {
  const auto duration = aq::parse_duration(text);
  require_described(duration, errc::invalid_request);
  require(!duration || duration->count() >= 0, "a duration is not negative");
  require_described(aq::parse_size(text), errc::invalid_request);
  const auto rate = aq::parse_rate(text);
  require_described(rate, errc::invalid_request);
  require(!rate || rate->per_second > 0, "a rate is above 0");
  const auto time = aq::parse_time(text);
  require_described(time, errc::invalid_request);
  if (time) {
    // Years before 0 and after 9999 print as numbers, of which some are too long to be a time.
    const auto again = aq::parse_time(aq::format_time(*time));
    require(!again || *again == *time, "a time reads as it prints");
  }
  if (const auto group = aq::parse_group(text))
    require(group->partition >= -1, "a group has a partition or is the controller's");
}

void check_position(const aq::position& where) {
  require(where.from == aq::position::anchor::time || where.number >= 0,
          "distances and offsets are not negative");
  for (const auto& bounds : {aq::partition_bounds{0, 0}, aq::partition_bounds{3, 9},
                             aq::partition_bounds{INT64_MAX - 5, INT64_MAX}})
    if (const auto offset = resolve(where, bounds))
      require(*offset >= bounds.start, "a place is not before the partition");
}

void check_offsets(std::string_view text) {
  const auto place = aq::parse_position(text, now);
  require_described(place, errc::invalid_request);
  if (place)
    check_position(*place);
  const auto range = aq::parse_offsets(text, now);
  require_described(range, errc::invalid_request);
  require(range.has_value() || !place.has_value(), "a place is a range");
  if (!range)
    return;
  check_position(range->begin);
  if (range->end)
    check_position(*range->end);
}

void check_encodings(std::string_view text) {
  std::string decoded;
  require(aq::append_from_hex(decoded, text) || decoded.empty(), "a refusal appends nothing");
  decoded.clear();
  require(aq::append_from_base64(decoded, text) || decoded.empty(), "a refusal appends nothing");
  std::string encoded;
  decoded.clear();
  aq::append_hex(encoded, text);
  require(aq::append_from_hex(decoded, encoded) && decoded == text, "hex goes there and back");
  encoded.clear();
  decoded.clear();
  aq::append_base64(encoded, text);
  require(aq::append_from_base64(decoded, encoded) && decoded == text, "base64 does too");
  require(aq::is_utf8(aq::sanitized(text)), "what is made safe for a terminal is UTF-8");
  require(!aq::is_printable(text) || aq::is_utf8(text), "what can be printed is UTF-8");
}

void check_numbers(std::string_view text) {
  std::int64_t number = 0;
  for (const char c : text.substr(0, 8))
    number = static_cast<std::int64_t>(static_cast<std::uint64_t>(number) << 8 |
                                       static_cast<std::uint8_t>(c));
  require(!aq::format_time(timestamp_ms(number)).empty(), "every time prints");
  require(!aq::format_bytes(static_cast<std::uint64_t>(number)).empty(), "every size prints");
  require(!aq::format_count(static_cast<std::uint64_t>(number)).empty(), "every count prints");
  require(!aq::format_duration(std::chrono::milliseconds(number)).empty(), "every duration prints");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz_input input(data, size);
  const auto bytes = input.rest();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  check_settings(text);
  check_arguments(text);
  check_offsets(text);
  check_encodings(text);
  check_numbers(text);
  return 0;
}

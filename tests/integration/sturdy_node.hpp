// A node that is ill-treated: it holds acknowledged records before, and must serve them unharmed
// after, with little more memory than before.
#pragma once

#include "tests/integration/own_node.hpp"
#include "tests/support/instrumented.hpp"

#include <doctest/doctest.h>

namespace aqueduct::test {

struct sturdy_node : own_node {
  explicit sturdy_node(const std::vector<std::string>& settings = {}) : own_node(settings) {
    create_topic(client, "witness");
    for (int i = 0; i < 20; ++i)
      append(client, "witness", 0, {"witness " + std::to_string(i), "beside it"});
    records = read_all(client, "witness", 0);
    resident_before = node.process().resident_bytes();
  }

  /// The node runs, has the records and takes another; it has not grown by more than
  /// `growth_bytes_max`.
  void check_unharmed(std::size_t growth_bytes_max = std::size_t{48} << 20) {
    REQUIRE(node.process().is_running());
    native_client fresh(node.client_address());
    CHECK(read_all(fresh, "witness", 0) == records);
    append(fresh, "witness", 0, {"one more"});
    records = read_all(fresh, "witness", 0);
    const auto resident = node.process().resident_bytes();
    INFO("resident bytes: " << resident_before << " before, " << resident << " now");
    CHECK(resident < resident_before + memory_bound(growth_bytes_max));
  }

  std::vector<read_record> records;
  std::size_t resident_before = 0;
};

/// The error that answers `frame`.
inline error error_of(const received_frame& frame) {
  CHECK(frame.header.status != errc::none);
  return protocol::decode_error(frame.header, frame.payload);
}

/// A request's frame of any bytes, with the true length.
inline std::vector<std::byte> frame_of(std::uint16_t key, std::uint16_t version,
                                       std::uint32_t correlation, byte_span payload) {
  std::vector<std::byte> bytes(protocol::frame_header_size);
  protocol::frame_header header;
  header.length = static_cast<std::uint32_t>(protocol::frame_header_size - sizeof header.length +
                                             payload.size());
  header.key = static_cast<protocol::api_key>(key);
  header.version = version;
  header.correlation_id = correlation;
  protocol::write_frame_header(bytes.data(), header);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

/// Numbers that are the same in every run (splitmix64, Steele, Lea and Flood 2014).
class sequence_of_numbers {
public:
  explicit sequence_of_numbers(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    auto z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// From 0 to `bound` - 1.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }

private:
  std::uint64_t state_;
};

} // namespace aqueduct::test

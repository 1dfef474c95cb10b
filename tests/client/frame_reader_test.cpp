#include "protocol/client/internal/frame_reader.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <string>

using namespace aqueduct;
using namespace aqueduct::client;
using protocol::frame_header;
using protocol::frame_header_size;

namespace {

std::string frame(std::uint32_t id, const std::string& payload) {
  frame_header header;
  header.kind = protocol::frame_kind::response;
  header.key = protocol::api_key::fetch;
  header.correlation_id = id;
  header.length = static_cast<std::uint32_t>(frame_header_size - 4 + payload.size());
  std::string bytes(frame_header_size, '\0');
  write_frame_header(reinterpret_cast<std::byte*>(bytes.data()), header);
  return bytes + payload;
}

/// Feeds `bytes` in pieces of `step` and returns the payloads of the frames.
std::vector<std::string> feed(frame_reader& reader, std::string_view bytes, std::size_t step) {
  std::vector<std::string> payloads;
  while (!bytes.empty()) {
    auto piece = bytes.substr(0, std::min(step, bytes.size()));
    std::size_t taken = 0;
    for (const auto& space : reader.prepare()) {
      const auto size = std::min(space.size(), piece.size() - taken);
      if (size > 0)
        std::memcpy(space.data(), piece.data() + taken, size);
      taken += size;
    }
    REQUIRE(taken > 0);
    reader.commit(taken);
    bytes.remove_prefix(taken);
    for (auto next = reader.next(); next.has_value() && *next; next = reader.next())
      payloads.emplace_back((*next)->payload.text());
  }
  return payloads;
}

} // namespace

TEST_SUITE_BEGIN("client.frame_reader");

TEST_CASE("frames come out whole however the bytes are cut") {
  const std::string big(1000, 'b');
  const auto bytes = frame(1, "one") + frame(2, "") + frame(3, big) + frame(4, "four") +
                     frame(5, big) + frame(6, big);
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    frame_reader reader(1 << 20, 64);
    REQUIRE(feed(reader, bytes, step) ==
            std::vector<std::string>{"one", "", big, "four", big, big});
  }
}

TEST_CASE("the rest of a big frame is read straight into its own memory") {
  frame_reader reader(1 << 20, 64);
  const std::string big(100'000, 'b');
  const auto bytes = frame(1, big);
  CHECK(feed(reader, std::string_view(bytes).substr(0, 64), 64).empty());

  CHECK(reader.prepare()[0].size() == bytes.size() - 64);
}

TEST_CASE("a frame over the limit and what is no frame are refused") {
  frame_reader reader(100, 64);
  auto long_frame = frame(1, std::string(200, 'x'));
  std::memcpy(reader.prepare()[0].data(), long_frame.data(), 20);
  reader.commit(20);
  CHECK(reader.next().error().code == errc::message_too_large);

  frame_reader other(1 << 20, 64);
  std::memcpy(other.prepare()[0].data(), "HTTP/1.1 400 Bad Request", 24);
  other.commit(24);
  CHECK_FALSE(other.next());
}

TEST_SUITE_END();

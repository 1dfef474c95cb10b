// Every message of the Kafka protocol in every version against bytes that another encoder made
// (kafka_vectors.txt), with a value of its own in every field.
#include "protocol/kafka/codec.hpp"
#include "tests/support/kafka_messages.hpp"
#include "tests/support/paths.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <sstream>

using namespace aqueduct;
using namespace aqueduct::testing;

namespace {

using vector_name = std::pair<std::string, int>;

buffer from_hex(const std::string& hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return buffer::from(std::move(bytes));
}

std::map<vector_name, buffer> read_vectors() {
  std::ifstream file(test::source_path("tests/protocol/kafka_vectors.txt"));
  std::map<vector_name, buffer> vectors;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#'))
      continue;
    std::istringstream words(line);
    std::string name;
    std::string hex;
    int version = 0;
    words >> name >> version >> hex;
    vectors.emplace(vector_name{name, version}, from_hex(hex));
  }
  return vectors;
}

/// Gives the fields of a version values that count up in the order of the definition.
class filler {
public:
  filler(std::int16_t version, bool flexible) : version_(version), flexible_(flexible) {}

  template <class T>
  void operator()(const kafka::field& f, T& value) {
    const bool carried = version_ >= f.since && version_ <= f.until;
    if (carried && (f.tag < 0 || flexible_))
      fill(value);
  }
  template <std::integral T>
  void fill(T& value) {
    ++count_;
    if constexpr (sizeof(T) == 1)
      value = static_cast<T>(count_ % 100);
    else
      value = static_cast<T>((std::int64_t{1} << (4 * sizeof(T))) + count_);
  }
  void fill(double& value) { value = static_cast<double>(++count_) + 0.5; }
  void fill(bool& value) { value = ++count_ % 2 == 1; }
  void fill(std::string& value) { value = "s" + std::to_string(++count_); }
  void fill(buffer& value) { value = buffer::copy_of("b" + std::to_string(++count_)); }
  void fill(buffer_chain& value) {
    buffer bytes;
    fill(bytes);
    value = buffer_chain(bytes);
  }
  void fill(uuid& value) {
    ++count_;
    for (auto& byte : value.bytes)
      byte = static_cast<std::uint8_t>(count_ % 256);
  }
  template <class T>
  void fill(std::optional<T>& value) {
    fill(value.emplace());
  }
  template <class T>
  void fill(std::vector<T>& values) {
    fill(values.emplace_back());
    fill(values.emplace_back());
  }
  template <class T>
  requires requires { &T::template fields<T, filler>; }
  void fill(T& value) { T::fields(value, *this); }

private:
  std::int16_t version_;
  bool flexible_;
  std::int64_t count_ = 0;
};

} // namespace

TEST_SUITE("protocol.kafka.vectors") {
  TEST_CASE("every message of every version has the bytes that another encoder gives it") {
    const auto vectors = read_vectors();
    std::size_t used = 0;
    for_each_kafka_message([&]<class M>() {
      const auto& api = kafka::describe(M::api);
      for (auto version = api.version_min; version <= api.version_max; ++version) {
        CAPTURE(M::title);
        CAPTURE(version);
        const auto expected = vectors.find({std::string(M::title), version});
        REQUIRE(expected != vectors.end());
        ++used;
        M message;
        filler(version, api.is_flexible(version)).fill(message);
        CHECK(kafka::encode(message, version).flatten() == expected->second);
        const auto decoded = kafka::decode<M>(expected->second, version);
        REQUIRE(decoded);
        CHECK(*decoded == message);
      }
    });
    CHECK(used == vectors.size());
  }

  TEST_CASE("a message cut at any byte is refused, what is behind it ignored") {
    const auto vectors = read_vectors();
    for_each_kafka_message([&]<class M>() {
      const auto version = kafka::describe(M::api).version_max;
      const auto& whole = vectors.at({std::string(M::title), version});
      for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto decoded = kafka::decode<M>(whole.slice(0, size), version);
        REQUIRE_FALSE(decoded);
        CHECK(decoded.error().code == errc::invalid_request);
        CHECK(decoded.error().message.starts_with(M::title));
      }
      std::vector<std::byte> longer(whole.bytes().begin(), whole.bytes().end());
      longer.emplace_back();
      CHECK(kafka::decode<M>(buffer::from(longer), version));
    });
  }
}

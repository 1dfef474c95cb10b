// The Kafka protocol: headers of requests and every message in every version. The first two bytes
// choose which.
#include "protocol/kafka/codec.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "tests/support/kafka_messages.hpp"

using namespace aqueduct;
using namespace aqueduct::fuzz;

namespace {

template <class Message>
void check_message(const buffer& payload, unsigned choice) {
  namespace kafka = protocol::kafka;
  const auto& api = kafka::describe(Message::api);
  const auto versions = static_cast<unsigned>(api.version_max - api.version_min + 1);
  const auto version = static_cast<std::int16_t>(api.version_min + choice % versions);
  const auto message = kafka::decode<Message>(payload, version);
  if (!message) {
    require(message.error().code == errc::invalid_request, "bad bytes are an invalid request");
    return;
  }
  // Fuzzed bytes may have long varints and unknown tags, so that only the second encoding is final.
  const auto encoded = kafka::encode(*message, version).flatten();
  const auto again = kafka::decode<Message>(encoded, version);
  require(again.has_value(), "what was encoded decodes");
  require(*again == *message, "to the same message");
  require(kafka::encode(*again, version).flatten() == encoded, "and encodes to the same bytes");
}

void check_header(const buffer& frame) {
  const auto header = protocol::kafka::read_request_header(frame);
  if (header)
    require(header->size <= frame.size(), "a header is within its frame");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz_input input(data, size);
  const auto choice = input.choose() % (std::tuple_size_v<aqueduct::testing::kafka_messages> + 1);
  const auto version = input.choose();
  const auto bytes = buffer::from(input.rest());
  if (choice == std::tuple_size_v<aqueduct::testing::kafka_messages>)
    check_header(bytes);
  unsigned index = 0;
  aqueduct::testing::for_each_kafka_message([&]<class Message>() {
    if (index++ == choice)
      check_message<Message>(bytes, version);
  });
  return 0;
}

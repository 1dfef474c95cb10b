// The native protocol: frame headers and every message. The first byte chooses which.
#include "protocol/native/codec.hpp"
#include "protocol/native/messages.hpp"
#include "tests/fuzz/fuzz_input.hpp"

#include <tuple>

using namespace aqueduct;
using namespace aqueduct::fuzz;
using namespace aqueduct::protocol;

namespace {

using messages = std::tuple<
    error_response, hello_request, hello_response, api_versions_request, api_versions_response,
    controller_discover_request, controller_discover_response, produce_request, produce_response,
    fetch_request, fetch_response, batch_fetch_request, batch_fetch_response, subscribe_request,
    subscribe_response, credit_request, unsubscribe_request, unsubscribe_response, delivery,
    list_offsets_request, list_offsets_response, delete_records_request, delete_records_response,
    init_producer_id_request, init_producer_id_response, create_topic_request,
    create_topic_response, delete_topic_request, delete_topic_response, alter_topic_request,
    alter_topic_response, list_topics_request, list_topics_response, get_topic_info_request,
    get_topic_info_response, metadata_request, metadata_response, find_coordinator_request,
    find_coordinator_response, join_group_request, join_group_response, heartbeat_request,
    heartbeat_response, fetch_assignment_request, fetch_assignment_response, leave_group_request,
    leave_group_response, commit_offset_request, commit_offset_response, fetch_offset_request,
    fetch_offset_response, delete_offsets_request, delete_offsets_response, list_groups_request,
    list_groups_response, describe_group_request, describe_group_response, delete_group_request,
    delete_group_response>;
constexpr auto message_count = std::tuple_size_v<messages>;

template <class Message>
void check_message(const buffer& payload, std::uint16_t version) {
  const auto message = decode<Message>(payload, version);
  if (!message) {
    require(message.error().code == errc::invalid_request, "bad bytes are an invalid request");
    return;
  }
  // Fuzzed varints may be longer than they have to be, so that only the second encoding is final.
  const auto encoded = encode(*message, version);
  const auto again = decode<Message>(encoded, version);
  require(again.has_value(), "what was encoded decodes");
  require(encode(*again, version) == encoded, "and encodes to the same bytes");
  require(print(*message) == print(*again), "and prints the same");
}

template <std::size_t... Index>
void check_chosen(std::size_t choice, const buffer& payload, std::index_sequence<Index...>) {
  constexpr std::uint16_t newest = 2;
  for (std::uint16_t version = 1; version <= newest; ++version)
    ((choice == Index ? check_message<std::tuple_element_t<Index, messages>>(payload, version)
                      : void()),
     ...);
}

void check_header(const std::vector<std::byte>& bytes) {
  if (bytes.size() < frame_header_size)
    return;
  const auto header = read_frame_header(bytes.data(), 1 << 20);
  if (!header)
    return;
  require(header->length <= 1 << 20 && header->payload_size() < header->length,
          "a frame is within the limit");
  std::byte again[frame_header_size];
  write_frame_header(again, *header);
  const auto reread = read_frame_header(again, 1 << 20);
  require(reread.has_value() && *reread == *header, "a header reads as it was written");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz_input input(data, size);
  const auto choice = input.choose() % (message_count + 1);
  auto bytes = input.rest();
  if (choice == message_count)
    check_header(bytes);
  else
    check_chosen(choice, buffer::from(std::move(bytes)), std::make_index_sequence<message_count>());
  return 0;
}

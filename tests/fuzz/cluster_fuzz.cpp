// The messages of the cluster port, and the first frame of a connection there. The first byte
// chooses which.
#include "actors/peer/peer_hello.hpp"
#include "protocol/cluster/election_messages.hpp"
#include "protocol/cluster/messages.hpp"
#include "protocol/cluster/state_messages.hpp"
#include "protocol/native/codec.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace aqueduct;
using namespace aqueduct::fuzz;
using namespace aqueduct::protocol;

namespace {

template <class Message>
void check_message(const buffer& payload) {
  const auto message = decode<Message>(payload);
  if (!message) {
    require(message.error().code == errc::invalid_request, "bad bytes are an invalid request");
    return;
  }
  // Fuzzed varints may be longer than they have to be, so that only the second encoding is final.
  const auto encoded = encode(*message);
  const auto again = decode<Message>(encoded);
  require(again.has_value(), "what was encoded decodes");
  require(encode(*again) == encoded, "and encodes to the same bytes");
  require(print(*message) == print(*again), "and prints the same");
}

void check_numbers(const buffer& payload) {
  const auto frame = decode<cluster::raft_messages>(payload);
  if (!frame || !cluster::check(*frame))
    return;
  for (const auto& envelope : frame->messages) {
    const auto term = std::visit([](const auto& m) { return m.term; }, envelope.message);
    require(term <= cluster::number_max, "a term that passed is in range");
    require(envelope.from.node >= 0 && envelope.to.node >= 0, "and so are the nodes");
    if (const auto* append = std::get_if<cluster::append_request>(&envelope.message))
      require(append->previous.index + append->entries.size() <= cluster::number_max,
              "and the last index");
  }
}

/// A frame with whatever header, which says who wants to connect.
void check_first_frame(const buffer& bytes) {
  if (bytes.size() < frame_header_size)
    return;
  const auto header = read_frame_header(bytes.data(), handshake_frame_bytes_max);
  if (!header)
    return;
  const auto payload = bytes.slice(frame_header_size, bytes.size() - frame_header_size);
  const auto them = actors::read_hello(*header, payload);
  if (!them) {
    require(!them.error().message.empty(), "a hello that cannot be read is refused in words");
    return;
  }
  actors::node_identity us;
  us.self.node = raft::node_id(1);
  const auto refused = actors::judge(us, *them);
  require(!refused || !refused->message.empty(), "and so is one that is not taken");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz_input input(data, size);
  const auto choice = input.choose() % 11;
  const auto payload = buffer::from(input.rest());
  if (choice == 0) {
    check_message<cluster::raft_messages>(payload);
    check_numbers(payload);
  } else if (choice == 1) {
    check_message<cluster::hello>(payload);
  } else if (choice == 2) {
    check_message<cluster::hello_answer>(payload);
  } else if (choice == 3) {
    check_message<cluster::ping>(payload);
  } else if (choice == 4) {
    check_message<cluster::call>(payload);
  } else if (choice == 5) {
    check_message<cluster::call_answer>(payload);
  } else if (choice == 6) {
    check_message<cluster::state_question>(payload);
  } else if (choice == 7) {
    check_message<cluster::state_answer>(payload);
  } else if (choice == 8) {
    check_message<cluster::election_question>(payload);
  } else if (choice == 9) {
    check_message<cluster::election_answer>(payload);
  } else {
    check_first_frame(payload);
  }
  return 0;
}

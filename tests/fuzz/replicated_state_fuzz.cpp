// What nodes read of each other's making: the commands of the controller's and of the partitions'
// logs, questions to the controller, memberships of Raft groups, and the rows of state machines.
// What decodes encodes to bytes that decode to the same.
#include "actors/controller/commands.hpp"
#include "actors/controller/questions.hpp"
#include "actors/partition/partition_command.hpp"
#include "actors/partition/producer_table.hpp"
#include "actors/scrub/scrub_core.hpp"
#include "protocol/native/codec.hpp"
#include "raft/membership.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::fuzz;

namespace {

void require_damaged(const error& why) {
  require(why.code == errc::storage_damaged && !why.message.empty(), "bad bytes are damage");
}

void check_controller_command(const buffer& bytes) {
  const auto command = decode_controller_command(bytes);
  if (!command)
    return require_damaged(command.error());
  // Fuzzed varints may be longer than they have to be, so that only the second encoding is final.
  const auto encoded = encode(*command);
  const auto again = decode_controller_command(encoded);
  require(again.has_value() && encode(*again) == encoded, "a command survives its encoding");
  require(print(*command) == print(*again), "and prints the same");
}

template <class Record>
void check_record(const buffer& bytes) {
  const auto record = protocol::decode<Record>(bytes);
  if (!record)
    return;
  const auto again = protocol::decode<Record>(protocol::encode(*record));
  require(again.has_value() && *again == *record, "a record survives its encoding");
}

void check_partition_command(const buffer& bytes) {
  const auto command = decode_partition_command(bytes.bytes());
  if (!command)
    return require_damaged(command.error());
  require(encode(*command) == bytes, "a partition's command has one encoding");
}

void check_partition_summary(const buffer& bytes) {
  const auto summary = decode_partition_summary(bytes.bytes());
  if (!summary)
    return require_damaged(summary.error());
  require(encode(*summary) == bytes, "a partition's summary has one encoding");
}

void check_producer(const buffer& bytes) {
  const auto producer = decode_producer(bytes.bytes());
  if (!producer)
    return require_damaged(producer.error());
  require(!producer->batches.empty() && producer->batches.size() <= producer_table::batches_max,
          "a producer has some batches, and few");
  const auto again = decode_producer(encode(*producer).bytes());
  require(again.has_value() && *again == *producer, "a producer survives its encoding");
}

void check_membership(const buffer& bytes) {
  const auto members = raft::decode_membership(bytes.bytes());
  if (!members)
    return;
  require(members->valid(), "a membership that decodes is valid");
  const auto encoded = raft::encode(*members);
  require(std::ranges::equal(encoded, bytes.bytes()), "a membership has one encoding");
}

void check_question(const buffer& bytes) {
  const auto question = decode_controller_question(bytes);
  if (!question) {
    const auto& why = question.error();
    require((why.code == errc::invalid_request || why.code == errc::unsupported_version) &&
                !why.message.empty(),
            "bad bytes are no question");
    return;
  }
  const auto encoded = encode(*question);
  const auto again = decode_controller_question(encoded);
  require(again.has_value() && encode(*again) == encoded, "a question survives its encoding");
}

void check_scrub_memory(const buffer& bytes) {
  const auto remembered = decode_scrub_memory(bytes.bytes());
  if (!remembered)
    return require_damaged(remembered.error());
  const auto again = decode_scrub_memory(encode(*remembered).bytes());
  require(again.has_value() && *again == *remembered, "what a scrub found survives its encoding");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz_input input(data, size);
  const auto choice = input.choose() % 9;
  const auto bytes = buffer::from(input.rest());
  switch (choice) {
  case 0:
    check_controller_command(bytes);
    break;
  case 1:
    check_record<topic_record>(bytes);
    break;
  case 2:
    check_record<broker_record>(bytes);
    break;
  case 3:
    check_partition_command(bytes);
    break;
  case 4:
    check_partition_summary(bytes);
    break;
  case 5:
    check_producer(bytes);
    break;
  case 6:
    check_membership(bytes);
    break;
  case 7:
    check_question(bytes);
    break;
  default:
    check_scrub_memory(bytes);
    break;
  }
  return 0;
}

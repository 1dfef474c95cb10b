// What comes from etcd: answers to requests, lines of a watch, and the values that nodes keep
// there, which anybody with access to it can change. The first two bytes choose which.
#include "actors/discovery/etcd_wire.hpp"
#include "tests/fuzz/fuzz_input.hpp"

#include <array>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::fuzz;

namespace {

constexpr unsigned status_ok = 200;
constexpr unsigned status_not_found = 404;

void check_answer(unsigned kind, std::string_view body) {
  const std::array<etcd_request, 4> requests{
      etcd_grant{10}, etcd_keep_alive{7}, etcd_range{"prefix/"}, etcd_txn{{}, {"key", "value", 7}}};
  const auto& request = requests[kind % requests.size()];
  const auto status = kind < 128 ? status_ok : status_not_found;
  const auto reply = decode(request, status, body);
  if (reply)
    return;
  const auto code = reply.error().code;
  require((code == errc::broker_unavailable || code == errc::invalid_message) &&
              !reply.error().message.empty(),
          "what etcd does not say is told in words");
}

void check_watch(std::string_view line) {
  const auto news = decode_watch(line);
  require(news.has_value() || news.error().code == errc::invalid_message,
          "a line of a watch is news or none");
}

void check_values(const std::string& text) {
  if (const auto node = decode_node(text)) {
    const auto again = decode_node(encode(*node));
    require(again.has_value() && *again == *node, "a registered node survives its encoding");
  }
  if (const auto founder = decode_founder(text)) {
    const auto again = decode_founder(encode(*founder));
    require(again.has_value() && *again == *founder, "a founder survives its encoding");
  }
}

void check_base64(const std::string& text) {
  if (const auto bytes = from_base64(text))
    require(from_base64(to_base64(*bytes)) == bytes, "what was base64 is so again");
  require(from_base64(to_base64(text)) == text, "everything has a base64");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz_input input(data, size);
  const auto choice = input.choose();
  const auto kind = input.choose();
  const auto bytes = input.rest();
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  switch (choice % 4) {
  case 0:
    check_answer(kind, text);
    break;
  case 1:
    check_watch(text);
    break;
  case 2:
    check_values(text);
    break;
  default:
    check_base64(text);
    break;
  }
  return 0;
}

#include "protocol/native/api.hpp"
#include "protocol/native/protocol_reference.hpp"
#include "tests/support/paths.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

using namespace aqueduct;

TEST_SUITE("protocol.native.reference") {
  TEST_CASE("docs/protocol.md is what the definitions say; ./dev docs renews it") {
    std::ifstream file(test::source_path("docs/protocol.md"));
    std::stringstream committed;
    committed << file.rdbuf();
    CHECK(committed.str() == protocol::protocol_reference());
  }

  TEST_CASE("every request has its section") {
    const auto text = protocol::protocol_reference();
    for (const auto& api : protocol::api_table())
      CHECK_MESSAGE(text.find("\n## " + std::string(api.name) + " (") != std::string::npos,
                    std::string(api.name));
  }
}

// aqueduct-docgen: prints what is generated from the code, one document per call. `./dev docs` puts
// the documents in their places.
#include "config/settings_reference.hpp"
#include "protocol/native/protocol_reference.hpp"

#include <iostream>
#include <string>
#include <string_view>

namespace {

struct document {
  std::string_view name;
  std::string_view place;
  std::string (*generate)();
};

constexpr document documents[] = {
    {"settings", "docs/settings.md", aqueduct::config::settings_reference},
    {"protocol", "docs/protocol.md", aqueduct::protocol::protocol_reference},
    {"config", "config/aqueduct.toml", aqueduct::config::default_config_file},
};

} // namespace

int main(int argc, char** argv) {
  const std::string_view wanted = argc == 2 ? argv[1] : "";
  for (const auto& [name, place, generate] : documents)
    if (name == wanted) {
      std::cout << generate();
      return std::cout.flush() ? 0 : 1;
    }
  std::cerr << "usage: aqueduct-docgen DOCUMENT\n";
  for (const auto& [name, place, generate] : documents)
    std::cerr << "  " << name << "  " << place << "\n";
  return 64;
}

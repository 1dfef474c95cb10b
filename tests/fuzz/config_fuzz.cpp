// Configuration files: any text is read or refused, and what was read prints to a document that
// reads to the same values.
#include "config/document.hpp"
#include "config/node_model.hpp"
#include "config/topic_config.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace aqueduct;
using namespace aqueduct::fuzz;

namespace {

void check_printed(const config::node_config& values) {
  const auto printed = config::node_model().print(values, {});
  const auto entries = config::read_toml(printed, "printed");
  require(entries.has_value(), "a printed configuration can be read");
  config::node_config again;
  config::origins given;
  config::problems found;
  config::node_model().apply(*entries, again, given, found);
  require(found.empty(), "a printed configuration is accepted");
  require(again == values, "a printed configuration has the same values");
}

void check_entries(const std::vector<config::entry>& entries) {
  config::node_config values;
  config::origins given;
  config::problems found;
  config::node_model().apply(entries, values, given, found);
  for (const auto& problem : found)
    require(!problem.empty(), "a problem is described");
  (void)config::conflicts(values, given);
  check_printed(values);

  config::topic_overrides overrides;
  for (const auto& one : entries)
    overrides.emplace_back(one.key, one.raw.text);
  const auto canonical = config::canonical_overrides({}, overrides);
  if (canonical)
    require(*config::canonical_overrides({}, *canonical) == *canonical,
            "canonical spelling stays as it is");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz_input input(data, size);
  const bool as_yaml = input.choose() % 2 == 1;
  const auto bytes = input.rest();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto entries = as_yaml ? config::read_yaml(text, "f.yaml") : config::read_toml(text, "f");
  if (!entries)
    require(entries.error().code == errc::invalid_config, "wrong text is a configuration error");
  else
    check_entries(*entries);
  return 0;
}

// What is generated from the settings models: the reference for people, and the commented file that
// is shipped. Tests compare both with the files in the tree.
#pragma once

#include <string>

namespace aqueduct::config {

/// docs/settings.md: every setting of nodes and topics.
[[nodiscard]] std::string settings_reference();

/// config/aqueduct.toml: every setting of a node as a comment with its default.
[[nodiscard]] std::string default_config_file();

} // namespace aqueduct::config

// What `aq config show` shows, as a document.
#pragma once

#include "apps/aq/document.hpp"
#include "config/loader.hpp"

namespace aqueduct::aq {

/// Every setting with its value and origin, secrets hidden; with `changed_only` those that were
/// given.
[[nodiscard]] document config_described(const config::loaded_config& loaded, bool changed_only);

} // namespace aqueduct::aq

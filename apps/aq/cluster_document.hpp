// What `aq cluster info` shows, as a document.
#pragma once

#include "apps/aq/document.hpp"
#include "protocol/client/cluster.hpp"

#include <string>

namespace aqueduct::aq {

/// `software`: what the broker that answered calls itself.
[[nodiscard]] document cluster_described(const client::cluster_layout& layout,
                                         const std::string& software);

} // namespace aqueduct::aq

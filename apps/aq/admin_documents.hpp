// What the admin verbs show, as documents.
#pragma once

#include "actors/admin_interface.hpp"
#include "apps/aq/document.hpp"
#include "protocol/ids.hpp"

namespace aqueduct::aq {

[[nodiscard]] document node_described(const actors::admin_status& node, timestamp_ms now);
[[nodiscard]] document scrub_described(const actors::admin_scrub_status& scrub);
[[nodiscard]] document partitions_described(const actors::admin_partitions& held);

} // namespace aqueduct::aq

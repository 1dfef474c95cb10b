// What the verbs of consumer groups print.
#pragma once

#include "apps/aq/document.hpp"
#include "protocol/client/group_admin.hpp"

#include <span>

namespace aqueduct::aq {

[[nodiscard]] document groups_listed(std::span<const client::group_listing> groups);
[[nodiscard]] document group_described(const client::group_description& group,
                                       std::span<const client::group_lag> lag);
[[nodiscard]] document group_lags(std::span<const client::group_lag> rows);
[[nodiscard]] document group_members(const client::group_description& group);
[[nodiscard]] document offsets_moved(std::span<const client::offset_move> moves);

} // namespace aqueduct::aq

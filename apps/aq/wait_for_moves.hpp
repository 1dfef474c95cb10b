// Looking on while replicas move.
#pragma once

#include "apps/aq/admin_client.hpp"
#include "apps/aq/session.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace aqueduct::aq {

/// How many moves are still to be made. An error that can go away by itself is asked about again.
using moves_left = std::function<result<std::uint64_t>()>;

/// Asks until nothing is left, and shows how far it has come. Ctrl-C ends it with `interrupted`,
/// after `how_to_stop` was noted: the moves go on.
exit_code wait_for_moves(session& on, const moves_left& left, std::string_view how_to_stop);

} // namespace aqueduct::aq

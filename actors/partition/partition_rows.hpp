// A partition's rows in the key-value state, behind its group's prefix.
#pragma once

#include "actors/partition/partition_core.hpp"
#include "protocol/result.hpp"
#include "storage/kv.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::actors {

/// Key of the partition's summary.
inline constexpr std::string_view summary_key = "summary";
/// Key of what is known of an idempotent producer.
[[nodiscard]] std::string producer_key(std::int64_t producer);
/// storage_damaged if a row cannot be read. Unknown keys are left out.
[[nodiscard]] result<partition_core::restored_state>
restore_rows(const std::vector<storage::kv_pair>& rows);

} // namespace aqueduct::actors

// Loggers by component. The level of each can be changed while the node runs.
#pragma once

#include "config/node_config.hpp"
#include "protocol/result.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace aqueduct::actors {

/// Sets up all loggers, one for each of config::log_components, writing to standard error. Call
/// once, before any actor is made.
void set_up_logging(const config::log_settings& settings);
/// The logger of a component. Before `set_up_logging` it drops everything.
[[nodiscard]] std::shared_ptr<spdlog::logger> component_logger(std::string_view component);
/// Takes over the levels of `settings`, as after a reload.
void set_log_levels(const config::log_settings& settings);
/// Changes the level of one component, or of all when `component` is empty. not_found names the
/// components that exist.
[[nodiscard]] result<void> change_log_level(std::string_view component, config::log_level level);
/// Writes what is buffered.
void flush_logs();

} // namespace aqueduct::actors

#include "actors/logging.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace aqueduct::actors {

namespace {

spdlog::level::level_enum to_spdlog(config::log_level level) {
  switch (level) {
  case config::log_level::trace:
    return spdlog::level::trace;
  case config::log_level::debug:
    return spdlog::level::debug;
  case config::log_level::info:
    return spdlog::level::info;
  case config::log_level::warning:
    return spdlog::level::warn;
  case config::log_level::error:
    return spdlog::level::err;
  case config::log_level::off:
    return spdlog::level::off;
  }
  return spdlog::level::info;
}

/// The message with everything escaped that JSON does not allow in a string.
class json_message : public spdlog::custom_flag_formatter {
public:
  void format(const spdlog::details::log_msg& msg, const std::tm&,
              spdlog::memory_buf_t& out) override {
    constexpr std::string_view hex = "0123456789abcdef";
    for (const char c : msg.payload) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        out.push_back('\\');
        out.push_back(c);
      } else if (byte < 0x20) {
        for (const char part : std::string_view("\\u00"))
          out.push_back(part);
        out.push_back(hex[byte >> 4]);
        out.push_back(hex[byte & 15]);
      } else {
        out.push_back(c);
      }
    }
  }

  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<json_message>();
  }
};

std::unique_ptr<spdlog::formatter> formatter_for(config::log_format format) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  if (format == config::log_format::json)
    formatter->add_flag<json_message>('*').set_pattern(
        R"({"ts":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","logger":"%n","msg":"%*"})");
  else
    formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%-7l%$ %-10n %v");
  return formatter;
}

} // namespace

void set_up_logging(const config::log_settings& settings) {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  sink->set_formatter(formatter_for(settings.format));
  for (const auto component : config::log_components) {
    const std::string name(component);
    auto logger = std::make_shared<spdlog::logger>(name, sink);
    logger->flush_on(spdlog::level::warn);
    spdlog::drop(name);
    spdlog::register_logger(std::move(logger));
  }
  set_log_levels(settings);
}

void set_log_levels(const config::log_settings& settings) {
  for (const auto component : config::log_components) {
    const std::string name(component);
    const auto own = settings.levels.find(name);
    component_logger(name)->set_level(
        to_spdlog(own == settings.levels.end() ? settings.level : own->second));
  }
}

std::shared_ptr<spdlog::logger> component_logger(std::string_view component) {
  if (auto logger = spdlog::get(std::string(component)))
    return logger;
  static const auto silent =
      std::make_shared<spdlog::logger>("silent", std::make_shared<spdlog::sinks::null_sink_mt>());
  return silent;
}

result<void> change_log_level(std::string_view component, config::log_level level) {
  const auto& names = config::log_components;
  if (!component.empty() && std::ranges::find(names, component) == names.end()) {
    std::string known;
    for (const auto& name : names)
      known.append(known.empty() ? "" : ", ").append(name);
    return unexpected(errc::not_found, "there is no component '" + std::string(component) +
                                           "'; the components are " + known);
  }
  for (const auto& name : names)
    if (component.empty() || component == name)
      component_logger(name)->set_level(to_spdlog(level));
  return {};
}

void flush_logs() {
  for (const auto& name : config::log_components)
    component_logger(name)->flush();
}

} // namespace aqueduct::actors

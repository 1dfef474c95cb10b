#include "tests/support/node_process.hpp"

#include "tests/support/paths.hpp"

#include <signal.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>

namespace aqueduct::test {

namespace {

const std::filesystem::path program = built_program("aqueductd");

/// The value of `key` in a line of `key=value` words.
std::string value_of(std::string_view line, std::string_view key) {
  const auto at = line.find(" " + std::string(key) + "=");
  if (at == std::string_view::npos)
    return {};
  const auto from = at + key.size() + 2;
  return std::string(line.substr(from, line.find(' ', from) - from));
}

address parse_address(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos)
    throw std::runtime_error("not an address: '" + text + "'");
  return {text.substr(0, colon), static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1)))};
}

} // namespace

std::vector<std::string> node_arguments(const node_options& options) {
  std::vector<std::string> arguments{"--data-dir", options.data_dir.string(), "--listen",
                                     "127.0.0.1:0"};
  auto settings = options.settings;
  for (const std::string key : {"admin.listen=", "cluster.listen=", "http.listen="})
    // A setting may be given once.
    if (std::ranges::none_of(options.settings,
                             [&](const auto& given) { return given.starts_with(key); }))
      settings.push_back(key + "127.0.0.1:0");
  for (const auto& setting : settings)
    arguments.insert(arguments.end(), {"--set", setting});
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  return arguments;
}

node_process::node_process(node_options options) : options_(std::move(options)) {
  start();
}

void node_process::start() {
  process_ = std::make_unique<child_process>(program, node_arguments(options_));
  const auto line = process_->read_line(test_clock::now() + patience);
  if (!line || !line->starts_with("ready "))
    throw std::runtime_error("the node did not become ready; it said: " + line.value_or("nothing") +
                             "\n" + process_->errors());
  clients_ = parse_address(value_of(*line, "listen"));
  operators_ = parse_address(value_of(*line, "admin"));
}

int node_process::stop() {
  process_->signal(SIGTERM);
  const auto status = process_->wait_until(test_clock::now() + patience);
  if (!status)
    throw std::runtime_error("the node did not stop; it said:\n" + process_->errors());
  return *status;
}

void node_process::kill() {
  process_->signal(SIGKILL);
  if (!process_->wait_until(test_clock::now() + patience))
    throw std::runtime_error("the node survives SIGKILL");
}

finished_run run_node(const std::vector<std::string>& arguments) {
  child_process process(program, arguments);
  const auto status = process.wait_until(test_clock::now() + patience);
  if (!status)
    throw std::runtime_error("the node runs although it should not; it said:\n" + process.errors());
  return {*status, process.rest_of_output(), process.errors()};
}

} // namespace aqueduct::test

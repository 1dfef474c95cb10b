// aq completion, and what the scripts that it prints call.
#include "apps/aq/client_session.hpp"
#include "apps/aq/command_line.hpp"
#include "apps/aq/completion.hpp"
#include "protocol/client/group_admin.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <memory>

namespace aqueduct::aq {

namespace {

exit_code print_script(session& on, const std::string& shell) {
  const auto script = completion_script(shell);
  if (script.empty())
    return on.fail(errc::invalid_request, "\"" + shell + "\" is not one of bash, zsh, fish");
  on.out().write(script);
  return on.finish();
}

/// Somebody waits with a finger on Tab.
constexpr auto patience = client::milliseconds(700);

/// The cluster that the words name.
result<client::cluster> cluster_of(std::span<const std::string> words) {
  client::cluster_config config;
  const char* brokers = std::getenv("AQUEDUCT_BROKER");
  std::string text = brokers != nullptr ? brokers : "";
  for (std::size_t i = 0; i + 1 < words.size(); ++i)
    if (words[i] == "-b" || words[i] == "--broker")
      text = words[i + 1];
  if (!text.empty()) {
    config.brokers.clear();
    for (std::size_t at = 0; at <= text.size();) {
      const auto end = std::min(text.find(',', at), text.size());
      if (end > at)
        config.brokers.push_back(text.substr(at, end - at));
      at = end + 1;
    }
  }
  config.client_id = "aq";
  config.connect_timeout = patience;
  config.request_timeout = patience;
  return client::cluster::open(std::move(config));
}

/// Nothing when the cluster does not answer.
std::vector<std::string> live_topics(std::span<const std::string> words) {
  std::vector<std::string> names;
  if (const auto cluster = cluster_of(words))
    if (const auto topics = client::admin(*cluster).list_topics(false, patience))
      for (const auto& each : *topics)
        names.push_back(each.name);
  return names;
}

/// As `live_topics`.
std::vector<std::string> live_groups(std::span<const std::string> words) {
  std::vector<std::string> names;
  if (const auto cluster = cluster_of(words))
    if (const auto groups = client::group_admin(*cluster).list(patience))
      for (const auto& each : *groups)
        names.push_back(each.group);
  return names;
}

} // namespace

exit_code answer_completion(command_line& line, std::span<const std::string> words,
                            const surroundings& around) {
  if (!words.empty() && words.front() == "--")
    words = words.subspan(1);
  const auto found = complete(
      line, words,
      {.topics = [&] { return live_topics(words); }, .groups = [&] { return live_groups(words); }});
  output_stream out(around.out);
  if (found.wants_files)
    out.write(":files\n");
  for (const auto& word : found.words)
    out.write(word + "\n");
  return exit_code::done;
}

void add_completion_verbs(command_line& line) {
  auto shell = std::make_shared<std::string>();
  auto& verb = line.add_verb(line.root(), "completion", "Print a completion script for a shell",
                             "source <(aq completion bash)\n"
                             "aq completion zsh > ~/.zfunc/_aq\n"
                             "aq completion fish > ~/.config/fish/completions/aq.fish\n",
                             [shell](session& on) { return print_script(on, *shell); });
  verb.add_option("SHELL", *shell, "bash, zsh or fish")->required()->type_name("SHELL");
}

} // namespace aqueduct::aq

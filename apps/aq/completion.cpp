#include "apps/aq/completion.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>

namespace aqueduct::aq {

namespace {

struct choices {
  /// What the option's or positional's help shows as its type.
  std::string_view type_name;
  std::vector<std::string> words;
};

const std::vector<std::string>* choices_for(const std::string& type_name) {
  static const std::array<choices, 9> known = {{
      {"FORMAT", {"table", "wide", "json", "jsonl", "yaml", "csv", "name"}},
      {"WHEN", {"auto", "always", "never"}},
      {"CODEC", {"none", "gzip", "snappy", "lz4", "zstd"}},
      {"ACKS", {"all", "leader", "none"}},
      {"OFFSETS", {"start", "end", ":end", "@-1h:end"}},
      {"POSITION", {"start", "end"}},
      {"SHELL", {"bash", "zsh", "fish"}},
      {"LEVEL", {"trace", "debug", "info", "warning", "error", "off"}},
      {"SUBJECT", {"offsets", "formats", "exit-codes", "settings"}},
  }};
  const auto found = std::ranges::find(known, type_name, &choices::type_name);
  return found == known.end() ? nullptr : &found->words;
}

/// The positional that the next word belongs to.
CLI::Option* next_positional(CLI::App& app, std::size_t taken) {
  for (auto* option : app.get_options()) {
    if (!option->get_positional())
      continue;
    const auto most = static_cast<std::size_t>(std::max(0, option->get_items_expected_max()));
    if (taken < most)
      return option;
    taken -= most;
  }
  return nullptr;
}

bool means_file(std::string_view type_name) {
  return type_name == "FILE" || type_name == "PATH" || type_name == "DIR";
}

/// Values that `option` can have.
completions values_of(const CLI::Option& option, const live_names& names) {
  const auto type_name = option.get_type_name();
  completions found;
  if (type_name == "TOPIC" || type_name.starts_with("TOPIC:") || type_name.starts_with("TOPIC["))
    found.words = names.topics();
  else if (type_name == "GROUP")
    found.words = names.groups();
  else if (const auto* words = choices_for(type_name))
    found.words = *words;
  else
    found.wants_files = means_file(type_name);
  return found;
}

std::vector<std::string> options_of(CLI::App* app) {
  std::vector<std::string> names;
  for (; app != nullptr; app = app->get_parent())
    for (auto* option : app->get_options()) {
      if (option->get_positional() || option->get_group().empty())
        continue;
      const auto& longs = option->get_lnames();
      const auto& shorts = option->get_snames();
      if (!longs.empty())
        names.push_back("--" + longs.front());
      else if (!shorts.empty())
        names.push_back("-" + shorts.front());
    }
  return names;
}

/// Keeps what begins with `typed`, sorted, with `before` in front of each.
void narrow(completions& found, std::string_view typed, std::string_view before = {}) {
  std::erase_if(found.words, [&](const auto& word) { return !word.starts_with(typed); });
  std::ranges::sort(found.words);
  found.words.erase(std::unique(found.words.begin(), found.words.end()), found.words.end());
  if (!before.empty())
    for (auto& word : found.words)
      word.insert(0, before);
}

} // namespace

completions complete(command_line& line, std::span<const std::string> words,
                     const live_names& names) {
  if (words.empty())
    return {};
  const auto& typed = words.back();
  const auto place = line.walk(words.first(words.size() - 1));
  completions found;
  if (!place.unknown_verb.empty())
    return found;
  if (place.pending != nullptr) {
    found = values_of(*place.pending, names);
    narrow(found, typed);
    return found;
  }
  if (const auto equals = typed.find('='); typed.starts_with("--") && equals != std::string::npos) {
    std::vector<std::string> before(words.begin(), words.end() - 1);
    before.push_back(typed.substr(0, equals));
    if (auto* pending = line.walk(before).pending) {
      found = values_of(*pending, names);
      narrow(found, std::string_view(typed).substr(equals + 1),
             std::string_view(typed).substr(0, equals + 1));
    }
    return found;
  }
  if (typed.starts_with('-') && !place.after_dashes) {
    found.words = options_of(place.at);
    narrow(found, typed);
    return found;
  }
  if (auto* positional = next_positional(*place.at, place.positionals))
    found = values_of(*positional, names);
  if (place.positionals == 0)
    for (auto* below : place.at->get_subcommands({}))
      if (!below->get_group().empty())
        found.words.push_back(below->get_name());
  narrow(found, typed);
  return found;
}

std::string_view completion_script(std::string_view shell) {
  if (shell == "bash")
    return R"(# bash completion for aq. Load it with: source <(aq completion bash)
_aq() {
  local line=() candidates
  # Bash splits words at colons; COMP_LINE does not.
  read -r -a line <<< "${COMP_LINE:0:COMP_POINT}"
  [[ ${COMP_LINE:COMP_POINT-1:1} == ' ' ]] && line+=('')
  # What is returned replaces the part behind the last colon or equals sign only.
  mapfile -t candidates < <("${line[0]}" __complete -- "${line[@]:1}" 2>/dev/null)
  if [[ ${candidates[0]} == ':files' ]]; then
    compopt -o default
    COMPREPLY=()
    return
  fi
  local current=${COMP_WORDS[COMP_CWORD]} each
  [[ $current == [=:] ]] && current=''
  local begin=$((${#line[-1]} - ${#current}))
  COMPREPLY=()
  for each in "${candidates[@]}"; do
    COMPREPLY+=("${each:begin}")
  done
}
complete -F _aq aq
)";
  if (shell == "zsh")
    return R"(#compdef aq
# zsh completion for aq. Load it with: source <(aq completion zsh)
_aq() {
  local -a candidates
  candidates=("${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ ${candidates[1]} == ':files' ]]; then
    _files
  elif [[ -n ${candidates[1]} ]]; then
    compadd -- "${candidates[@]}"
  fi
}
compdef _aq aq
)";
  if (shell == "fish")
    return R"(# fish completion for aq. Load it with: aq completion fish | source
function __aq_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l candidates (aq __complete -- $words[2..-1] 2>/dev/null)
  if test "$candidates[1]" = ':files'
    __fish_complete_path (commandline -ct)
  else
    printf '%s\n' $candidates
  end
end
complete -c aq -f -a '(__aq_complete)'
)";
  return {};
}

} // namespace aqueduct::aq

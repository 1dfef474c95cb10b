// What every verb works with: the options that all verbs share, the three streams, and the rules of
// the house for what goes where (data on standard output, everything else on standard error).
#pragma once

#include "apps/aq/document.hpp"
#include "apps/aq/exit_code.hpp"
#include "apps/aq/output_stream.hpp"
#include "apps/aq/render.hpp"
#include "protocol/ids.hpp"
#include "protocol/result.hpp"

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace aqueduct::aq {

enum class color_mode : std::uint8_t { automatic, always, never };

/// The options that stand before or after any verb.
struct global_options {
  std::vector<std::string> brokers;
  std::string admin = "127.0.0.1:9095";
  render_options output;
  /// Whether --output was given; verbs that print data of their own look at it.
  bool has_output = false;
  bool quiet = false;
  bool verbose = false;
  /// How long a request to the cluster may take.
  std::optional<std::chrono::milliseconds> timeout;
  bool yes = false;
  bool dry_run = false;
  color_mode color = color_mode::automatic;
  bool no_progress = false;
  /// `-X key=value`, in order.
  std::vector<std::pair<std::string, std::string>> settings;

  [[nodiscard]] bool is_json() const {
    return output.format == output_format::json || output.format == output_format::jsonl;
  }
};

/// The world outside, as a session is given it.
struct surroundings {
  int in = 0;
  int out = 1;
  int err = 2;
  /// Set by a signal handler; nullptr is "never".
  const std::atomic<bool>* interrupted = nullptr;
};

class session {
public:
  session(const surroundings& around, global_options options);

  [[nodiscard]] const global_options& options() const { return options_; }
  [[nodiscard]] output_stream& out() { return out_; }
  [[nodiscard]] int in() const { return around_.in; }
  [[nodiscard]] bool in_is_terminal() const { return in_is_terminal_; }
  [[nodiscard]] bool out_is_terminal() const { return out_is_terminal_; }
  /// Whether bars and the like may be drawn on standard error.
  [[nodiscard]] bool shows_progress() const { return shows_progress_; }
  [[nodiscard]] bool interrupted() const {
    return around_.interrupted != nullptr && around_.interrupted->load(std::memory_order_relaxed);
  }
  [[nodiscard]] timestamp_ms now() const;

  /// Prints the result of a verb in the format that was asked for.
  exit_code print(const document& doc);
  /// Reports what went wrong, with a hint, on standard error, and returns what to exit with.
  exit_code fail(const error& err, std::string_view hint = {});
  exit_code fail(errc code, std::string message, std::string_view hint = {}) {
    return fail(error{code, std::move(message)}, hint);
  }
  /// A remark on standard error, unless --quiet.
  void note(std::string_view text);
  /// A warning on standard error, also with --quiet.
  void warn(std::string_view text);
  /// A remark on standard error with --verbose only.
  void detail(std::string_view text);

  /// Asks before something is destroyed. `what` says what will go, `name` is what has to be typed.
  /// `done` means go on; anything else is what to exit with. Never asks when standard input is not
  /// a terminal: there --yes is needed.
  exit_code confirm(std::string_view what, std::string_view name);

  /// What to exit with after everything worked: `done`, or `failed` if the data could not all be
  /// written to standard output.
  exit_code finish();

  /// Text for standard error; what it shows is gone with the next line that is written.
  void draw_status(std::string_view line);

private:
  void write_error(std::string_view text);
  void clear_status();
  [[nodiscard]] std::string paint(std::string_view text, std::string_view style) const;

  surroundings around_;
  global_options options_;
  output_stream out_;
  output_stream err_;
  bool in_is_terminal_;
  bool out_is_terminal_;
  bool err_is_terminal_;
  bool shows_progress_;
  bool err_has_color_;
  bool has_status_ = false;
};

} // namespace aqueduct::aq

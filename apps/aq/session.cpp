#include "apps/aq/session.hpp"

#include "apps/aq/encoding.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace aqueduct::aq {

namespace {

bool is_dumb_terminal() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return (no_color != nullptr && *no_color != '\0') ||
         (term != nullptr && std::string_view(term) == "dumb");
}

/// Like `sanitized`, but lines stay lines, indented below the first.
std::string sanitized_lines(std::string_view text) {
  std::string out;
  while (true) {
    const auto end = text.find('\n');
    out += sanitized(text.substr(0, end));
    if (end == std::string_view::npos)
      return out;
    out += "\n  ";
    text.remove_prefix(end + 1);
  }
}

/// The line that stands in `in` next, without its end; nothing at the end of the input.
std::optional<std::string> read_line(int in) {
  std::string line;
  for (char c = 0;;) {
    const auto count = ::read(in, &c, 1);
    if (count < 0 && errno == EINTR)
      return std::nullopt;
    if (count <= 0)
      return line.empty() ? std::nullopt : std::optional(line);
    if (c == '\n')
      return line;
    line += c;
  }
}

} // namespace

session::session(const surroundings& around, global_options options)
    : around_(around),
      options_(std::move(options)),
      out_(around.out),
      err_(around.err),
      in_is_terminal_(::isatty(around.in) == 1),
      out_is_terminal_(::isatty(around.out) == 1),
      err_is_terminal_(::isatty(around.err) == 1) {
  const bool is_plain = is_dumb_terminal();
  shows_progress_ = err_is_terminal_ && !is_plain && !options_.quiet && !options_.no_progress;
  const auto colored = [&](bool is_terminal) {
    return options_.color == color_mode::always ||
           (options_.color == color_mode::automatic && is_terminal && !is_plain && !options_.quiet);
  };
  err_has_color_ = colored(err_is_terminal_);
  options_.output.has_color = colored(out_is_terminal_);
}

timestamp_ms session::now() const {
  using namespace std::chrono;
  return timestamp_ms(duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());
}

std::string session::paint(std::string_view text, std::string_view style) const {
  return err_has_color_ ? fmt::format("\x1b[{}m{}\x1b[0m", style, text) : std::string(text);
}

void session::clear_status() {
  if (std::exchange(has_status_, false))
    err_.write("\r\x1b[K");
}

void session::write_error(std::string_view text) {
  // In the order in which things happened, when both go to one terminal.
  out_.flush();
  clear_status();
  err_.write(text);
  err_.flush();
}

void session::draw_status(std::string_view line) {
  if (!shows_progress_)
    return;
  err_.write("\r\x1b[K");
  err_.write(line);
  err_.flush();
  has_status_ = true;
}

exit_code session::print(const document& doc) {
  const auto text = render(doc, options_.output);
  if (!text)
    return fail(text.error());
  clear_status();
  err_.flush();
  out_.write(*text);
  return finish();
}

exit_code session::fail(const error& err, std::string_view hint) {
  const auto& info = describe(err.code);
  const auto message = err.message.empty() ? info.meaning : std::string_view(err.message);
  // The remedy for a request that a broker does not understand helps nobody who mistyped a word.
  const bool is_usage = err.code == errc::invalid_request;
  const auto advice = hint.empty() && !is_usage ? info.remedy : hint;
  if (options_.is_json()) {
    value::object inner;
    inner.emplace_back("code", to_string(err.code));
    inner.emplace_back("message", message);
    inner.emplace_back("hint", advice);
    inner.emplace_back("retriable", info.retriable);
    value::object outer;
    outer.emplace_back("error", std::move(inner));
    std::string line;
    append_json(line, value(std::move(outer)));
    write_error(line + "\n");
  } else {
    std::string text = paint("error:", "1;31") + " " + sanitized_lines(message);
    if (!is_usage)
      text += fmt::format(" ({})", to_string(err.code));
    text += "\n";
    if (!advice.empty() && !options_.quiet)
      text += paint("hint:", "36") + "  " + sanitized(advice) + "\n";
    write_error(text);
  }
  return exit_code_of(err.code);
}

void session::note(std::string_view text) {
  if (!options_.quiet)
    write_error(fmt::format("{}\n", text));
}

void session::warn(std::string_view text) {
  write_error(fmt::format("{} {}\n", paint("warning:", "1;33"), text));
}

void session::detail(std::string_view text) {
  if (options_.verbose)
    write_error(fmt::format("{}\n", text));
}

exit_code session::confirm(std::string_view what, std::string_view name) {
  if (options_.yes)
    return exit_code::done;
  if (!in_is_terminal_ || !err_is_terminal_)
    return fail(errc::invalid_request, fmt::format("{}; nothing was done", what),
                "add --yes to do it without being asked, or --dry-run to see what would go");
  write_error(fmt::format("{}.\nType \"{}\" to go on: ", what, name));
  const auto answer = read_line(around_.in);
  if (interrupted())
    return exit_code::interrupted;
  if (answer == name)
    return exit_code::done;
  write_error("not confirmed; nothing was done\n");
  return exit_code::failed;
}

exit_code session::finish() {
  out_.flush();
  if (out_.failure() == 0)
    return exit_code::done;
  write_error(fmt::format("{} cannot write standard output: {}\n", paint("error:", "1;31"),
                          std::strerror(out_.failure())));
  return exit_code::failed;
}

} // namespace aqueduct::aq

#include "apps/aq/record_input.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace aqueduct::aq {

namespace {

constexpr std::size_t initial_bytes = std::size_t{1} << 20;

class line_parser : public record_parser {
public:
  explicit line_parser(std::string separator) : separator_(std::move(separator)) {}

  parse_status next(std::string_view& window, bool at_end, record_text& record) override {
    const auto line = take_line(window, at_end);
    if (!line)
      return parse_status::need_more;
    record.key.reset();
    record.value = *line;
    if (!separator_.empty())
      if (const auto at = line->find(separator_); at != std::string_view::npos) {
        record.key = line->substr(0, at);
        record.value = line->substr(at + separator_.size());
      }
    return parse_status::record;
  }

private:
  std::string separator_;
};

class block_parser : public record_parser {
public:
  explicit block_parser(std::size_t size) : size_(size) {}

  parse_status next(std::string_view& window, bool at_end, record_text& record) override {
    if (!at_end && (size_ == 0 || window.size() < size_))
      return parse_status::need_more;
    const auto size = size_ == 0 ? window.size() : std::min(size_, window.size());
    record.key.reset();
    record.value = window.substr(0, size);
    window.remove_prefix(size);
    return parse_status::record;
  }

private:
  std::size_t size_;
};

} // namespace

std::optional<std::string_view> take_line(std::string_view& window, bool at_end) {
  const auto end = window.find('\n');
  if (end == std::string_view::npos && !at_end)
    return std::nullopt;
  const auto line = window.substr(0, end);
  window.remove_prefix(end == std::string_view::npos ? window.size() : end + 1);
  return line;
}

std::unique_ptr<record_parser> make_line_parser(std::string key_separator) {
  return std::make_unique<line_parser>(std::move(key_separator));
}

std::unique_ptr<record_parser> make_block_parser(std::size_t size) {
  return std::make_unique<block_parser>(size);
}

result<std::unique_ptr<record_parser>> make_parser(std::string_view format) {
  if (format == "json")
    return make_json_parser();
  if (format == "raw")
    return make_block_parser(0);
  auto steps = compile_pattern(format);
  if (!steps)
    return steps.propagate();
  return make_pattern_parser(std::move(*steps));
}

record_input::record_input(record_parser& parser, int fd, std::string name)
    : parser_(parser), fd_(fd), name_(std::move(name)) {}

result<bool> record_input::next(record_text& record) {
  while (true) {
    if (needs_more_ && !at_end_) {
      if (auto filled = fill(); !filled)
        return filled.propagate();
      if (interrupted_)
        return false;
    }
    if (window_.empty()) {
      if (at_end_)
        return false;
      needs_more_ = true;
      continue;
    }
    record.headers.clear();
    switch (parser_.next(window_, at_end_, record)) {
    case parse_status::record:
      ++records_;
      needs_more_ = window_.empty();
      return true;
    case parse_status::need_more:
      needs_more_ = true;
      break;
    case parse_status::failed:
      return unexpected(errc::invalid_message,
                        fmt::format("{}, record {}: {}", name_, records_ + 1, parser_.failure()));
    }
  }
}

result<void> record_input::fill() {
  // The rest of the window moves to the front; it is less than one record.
  if (capacity_ == 0 || window_.size() > capacity_ / 2) {
    const auto capacity = capacity_ == 0 ? initial_bytes : capacity_ * 2;
    if (capacity > record_bytes_max * 2)
      return unexpected(errc::message_too_large,
                        fmt::format("{}, record {}: larger than 1 GiB", name_, records_ + 1));
    std::unique_ptr<char[]> larger(new char[capacity]);
    std::ranges::copy(window_, larger.get());
    memory_ = std::move(larger);
    capacity_ = capacity;
  } else if (!window_.empty()) {
    std::memmove(memory_.get(), window_.data(), window_.size());
  }
  const auto kept = window_.size();
  const auto count = ::read(fd_, memory_.get() + kept, capacity_ - kept);
  if (count < 0 && errno == EINTR) {
    interrupted_ = true;
    window_ = {memory_.get(), kept};
    return {};
  }
  if (count < 0)
    return unexpected(errc::not_found,
                      fmt::format("cannot read {}: {}", name_, std::strerror(errno)));
  at_end_ = count == 0;
  needs_more_ = false;
  window_ = {memory_.get(), kept + static_cast<std::size_t>(count)};
  return {};
}

} // namespace aqueduct::aq

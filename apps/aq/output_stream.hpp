// Buffered writing to a file descriptor. A reader that goes away (`| head`) is not an error: the
// stream is then closed, swallows what is written, and whoever writes much asks `is_closed`.
#pragma once

#include <string>
#include <string_view>

namespace aqueduct::aq {

/// Does not own the descriptor. Not thread-safe.
class output_stream {
public:
  explicit output_stream(int fd) : fd_(fd) {}
  ~output_stream() { flush(); }
  output_stream(const output_stream&) = delete;
  output_stream& operator=(const output_stream&) = delete;

  void write(std::string_view text) {
    buffer_ += text;
    settle();
  }
  /// The buffer, for those who format into it. Call `settle` now and then.
  [[nodiscard]] std::string& buffer() { return buffer_; }
  /// Writes the buffer out if it has become large.
  void settle() {
    if (buffer_.size() >= flush_bytes)
      flush();
  }
  void flush();

  /// Looks whether the reader of a pipe has gone away, for those who have nothing to write.
  void notice_closed_reader();

  /// Nobody reads any more, or writing failed.
  [[nodiscard]] bool is_closed() const { return is_closed_; }
  /// The errno of a failure other than a reader that went away; 0 if there was none.
  [[nodiscard]] int failure() const { return failure_; }
  [[nodiscard]] int fd() const { return fd_; }

private:
  static constexpr std::size_t flush_bytes = std::size_t{256} << 10;

  int fd_;
  std::string buffer_;
  bool is_closed_ = false;
  int failure_ = 0;
};

} // namespace aqueduct::aq

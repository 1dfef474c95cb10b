#include "apps/aq/output_stream.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace aqueduct::aq {

void output_stream::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty() && !is_closed_) {
    const auto count = ::write(fd_, rest.data(), rest.size());
    if (count >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      // Standard output may be shared with a program that made it non-blocking.
      pollfd ready{fd_, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      is_closed_ = true;
      failure_ = errno == EPIPE ? 0 : errno;
    }
  }
  buffer_.clear();
}

void output_stream::notice_closed_reader() {
  // Without events to wait for, poll reports errors only: for a pipe, that its other end is closed.
  pollfd reader{fd_, 0, 0};
  if (::poll(&reader, 1, 0) > 0 && (reader.revents & POLLERR) != 0)
    is_closed_ = true;
}

} // namespace aqueduct::aq

#include "actors/network/connection.hpp"

#include <boost/asio/buffer.hpp>

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace aqueduct::actors::network {

namespace {

constexpr std::size_t gather_parts_max = 64;
constexpr std::size_t gather_bytes_max = 1 << 20;
/// How long last words may take to be read.
constexpr auto linger_max = std::chrono::seconds(5);
constexpr auto retry_interval = std::chrono::milliseconds(20);
/// A frame of this size is worth reading to its place at once.
constexpr std::size_t large_frame_bytes = 64 * 1024;
/// What is read behind a large frame, or in place of the next one: enough for its header.
constexpr std::size_t glance_bytes = 4 * 1024;

/// Memory for a frame of which `filled` bytes are there: most frames fit from the start, a large
/// one is moved a few times.
std::size_t partial_bytes_for(std::size_t filled) {
  constexpr std::size_t first_bytes = 1 << 20;
  return std::max(first_bytes, 2 * filled);
}

std::string name_of(const stream& socket) {
  boost::system::error_code failed;
  const auto peer = socket.remote_endpoint(failed);
  return failed ? "unknown" : peer.address().to_string() + ":" + std::to_string(peer.port());
}

bool is_transient(const boost::system::error_code& code) {
  return code == asio::error::would_block || code == asio::error::try_again ||
         code == asio::error::interrupted;
}

} // namespace

mutable_buffer& read_chunk::fresh() {
  if (chunk_.empty() || chunk_.is_shared())
    chunk_ = mutable_buffer(size);
  return chunk_;
}

connection::connection(stream socket, connection_limits limits, std::shared_ptr<byte_budget> total,
                       std::shared_ptr<read_chunk> chunk)
    : socket_(std::move(socket)),
      limits_(limits),
      total_(std::move(total)),
      own_(limits.request_bytes_max),
      chunk_(std::move(chunk)),
      peer_(name_of(socket_)),
      retry_(socket_.get_executor()),
      last_read_(clock::now()),
      opened_(last_read_) {}

connection::~connection() {
  // A request whose answer never came would otherwise keep its bytes for ever.
  total_->give_back(static_cast<std::size_t>(std::max<std::int64_t>(own_.used(), 0)));
}

void connection::start(std::unique_ptr<dialect> speaks,
                       std::shared_ptr<std::atomic<std::size_t>> open) {
  dialect_ = std::move(speaks);
  open_ = std::move(open);
  boost::system::error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  wait_readable();
}

void connection::become(std::unique_ptr<dialect> speaks) {
  former_dialect_ = std::move(dialect_);
  dialect_ = std::move(speaks);
}

// -- reading --------------------------------------------------------------------------------------

bool connection::may_charge(std::size_t unused) const {
  return own_.used() - static_cast<std::int64_t>(unused) <
         static_cast<std::int64_t>(limits_.request_bytes_max);
}

bool connection::may_begin(std::size_t unused) const {
  return unsent_bytes_ + expected_bytes_ <= limits_.send_bytes_max && may_charge(unused);
}

bool connection::may_read() const {
  // A frame that was begun is finished even when memory is short: waiting for each other would
  // never end.
  return may_begin(unused_bytes()) && (!partial_.empty() || !held_.empty() || !total_->is_full());
}

void connection::wait_readable() {
  if (reading_ || ending_ || is_closed())
    return;
  // Set before the look, so that whoever frees memory in between sees it.
  stalled_ = true;
  if (!may_read()) {
    // The memory of all connections can be freed without this one being told.
    retry_.expires_after(retry_interval);
    retry_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
      if (cancelled)
        return;
      // What waits holds the memory that what comes next needs, be it only the client's end.
      if (!self->is_closed() && !self->may_charge(self->unused_bytes()))
        self->dialect_->hurry();
      self->look_again();
    });
    return;
  }
  stalled_ = false;
  reading_ = true;
  if (!held_.empty()) {
    post([self = shared_from_this()] { self->take_held(); });
    return;
  }
  socket_.async_wait(stream::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& failed) {
                       self->reading_ = false;
                       if (failed)
                         self->do_close();
                       else
                         self->read_some();
                     });
}

void connection::look_again() {
  look_posted_ = false;
  if (stalled_)
    wait_readable();
}

void connection::read_some() {
  if (is_closed() || ending_)
    return;
  auto& chunk = chunk_->fresh();
  // The rest of a large frame goes straight to its place, what follows it to the chunk. Behind a
  // large one comes another, most often, and what the chunk gets of that has to be copied.
  const auto missing = partial_whole_ > 0 ? partial_.size() - partial_filled_ : 0;
  const auto ahead = last_frame_bytes_ < large_frame_bytes ? chunk.size() : glance_bytes;
  const std::array<asio::mutable_buffer, 2> into = {
      asio::mutable_buffer(partial_.data() + (missing > 0 ? partial_filled_ : 0), missing),
      asio::mutable_buffer(chunk.data(), ahead)};
  boost::system::error_code failed;
  const auto got = socket_.read_some(into, failed);
  if (failed && !is_transient(failed)) {
    do_close();
    return;
  }
  last_read_ = clock::now();
  own_.take(got);
  total_->take(got);
  const auto filled = std::min(got, missing);
  partial_filled_ += filled;
  take(chunk.slice(0, got - filled));
}

void connection::take(const mutable_buffer& bytes) {
  const reply_scope together;
  const bool alive = consume(bytes);
  former_dialect_.reset();
  if (!alive)
    return;
  dialect_->end_of_chunk();
  wait_readable();
}

void connection::take_held() {
  reading_ = false;
  if (is_closed() || ending_)
    return;
  from_held_ = true;
  take(std::exchange(held_, {}));
  from_held_ = false;
}

bool connection::consume(const mutable_buffer& bytes) {
  auto rest = bytes;
  if (!partial_.empty()) {
    const auto used = grow_partial(rest);
    if (!used) {
      end(used.error());
      return false;
    }
    rest = rest.slice(*used, rest.size() - *used);
  }
  if (partial_.empty() && !ending_) {
    if (const auto taken = take_frames(rest); !taken) {
      end(taken.error());
      return false;
    }
  }
  return !ending_;
}

result<std::size_t> connection::grow_partial(const mutable_buffer& bytes) {
  std::size_t used = 0;
  const auto fill = [&] {
    const auto take = std::min(partial_.size() - partial_filled_, bytes.size() - used);
    if (take > 0)
      std::memcpy(partial_.data() + partial_filled_, bytes.data() + used, take);
    partial_filled_ += take;
    used += take;
  };
  fill();
  if (partial_whole_ == 0 && partial_filled_ == partial_.size()) {
    const auto size = next_frame_size(partial_);
    if (!size)
      return size.propagate();
    partial_whole_ = *size;
  }
  while (partial_filled_ == partial_.size() && partial_filled_ < partial_whole_) {
    mutable_buffer larger(std::min(partial_whole_, partial_bytes_for(partial_filled_)));
    std::memcpy(larger.data(), partial_.data(), partial_filled_);
    partial_ = std::move(larger);
    fill();
  }
  if (partial_filled_ == partial_whole_) {
    const auto frame = std::exchange(partial_, {});
    partial_whole_ = 0;
    if (auto given = dialect_->frame(frame, true); !given)
      return given.propagate();
  }
  return used;
}

result<void> connection::take_frames(const mutable_buffer& bytes) {
  auto rest = bytes;
  while (!rest.empty()) {
    if (!may_begin(rest.size())) {
      // The chunk of the thread is not kept: others read into it.
      held_ = from_held_ ? rest : mutable_buffer(rest.size());
      if (!from_held_)
        std::memcpy(held_.data(), rest.data(), rest.size());
      return {};
    }
    if (rest.size() < dialect_->header_size())
      return begin_partial(rest);
    const auto size = next_frame_size(rest);
    if (!size)
      return size.propagate();
    if (*size > rest.size())
      return begin_partial(rest);
    if (auto given = dialect_->frame(rest.slice(0, *size), false); !given)
      return given;
    rest = rest.slice(*size, rest.size() - *size);
  }
  return {};
}

result<std::size_t> connection::next_frame_size(const mutable_buffer& header) {
  const auto size = dialect_->frame_size(header.data());
  last_frame_bytes_ = size ? *size : 0;
  return size;
}

result<void> connection::begin_partial(const mutable_buffer& rest) {
  auto size = dialect_->header_size();
  partial_whole_ = 0;
  if (rest.size() >= size) {
    const auto whole = next_frame_size(rest);
    if (!whole)
      return whole.propagate();
    partial_whole_ = *whole;
    size = std::min(partial_whole_, partial_bytes_for(rest.size()));
  }
  partial_ = mutable_buffer(size);
  partial_filled_ = rest.size();
  partial_since_ = last_read_;
  std::memcpy(partial_.data(), rest.data(), rest.size());
  return {};
}

void connection::charge_request(std::size_t bytes) {
  own_.take(bytes);
  total_->take(bytes);
}

void connection::finish_request(std::size_t bytes) {
  own_.give_back(bytes);
  total_->give_back(bytes);
  wake_reader();
}

void connection::answer_came(std::size_t bytes) {
  expected_bytes_ -= bytes;
  wake_reader();
}

void connection::wake_reader() {
  if (stalled_ && !look_posted_.exchange(true))
    post([self = shared_from_this()] { self->look_again(); });
}

// -- writing --------------------------------------------------------------------------------------

void connection::reply(buffer_chain bytes) {
  if (is_closed())
    return;
  unsent_bytes_ += bytes.size();
  const std::lock_guard lock(write_mutex_);
  if (queue_.empty())
    last_taken_ = clock::now();
  for (const auto& part : bytes.parts())
    queue_.push_back(part);
  if (flush_deferred_)
    return;
  flush_deferred_ = reply_scope::defer(shared_from_this());
  if (!flush_deferred_)
    write_queued();
}

bool connection::send(const buffer_chain& bytes) {
  if (is_closed())
    return false;
  unsent_bytes_ += bytes.size();
  const std::lock_guard lock(write_mutex_);
  if (queue_.empty())
    last_taken_ = clock::now();
  for (const auto& part : bytes.parts())
    queue_.push_back(part);
  write_queued();
  tell_when_sent_ = !queue_.empty();
  return !tell_when_sent_;
}

bool connection::is_congested() {
  if (has_room_for_pushes())
    return false;
  // Set before the second look, so that whoever makes room in between sees it.
  congested_ = true;
  return !has_room_for_pushes();
}

bool connection::has_room_for_pushes() const {
  return static_cast<std::int64_t>(unsent_bytes_) + pushing_bytes_ <=
         static_cast<std::int64_t>(limits_.send_bytes_max);
}

void connection::expect_push(std::int64_t bytes) {
  pushing_bytes_ += bytes;
  if (bytes < 0 && congested_ && has_room_for_pushes())
    post([self = shared_from_this()] { self->after_write(); });
}

void connection::flush_replies() {
  const std::lock_guard lock(write_mutex_);
  flush_deferred_ = false;
  write_queued();
}

std::size_t connection::gather(std::span<iovec> into) const {
  std::size_t count = 0;
  std::size_t bytes = 0;
  for (const auto& part : queue_) {
    const auto skip = count == 0 ? sent_of_first_ : 0;
    into[count++] = {const_cast<std::byte*>(part.data()) + skip, part.size() - skip};
    bytes += part.size() - skip;
    if (count == into.size() || bytes >= gather_bytes_max)
      break;
  }
  return count;
}

void connection::write_queued() {
  std::array<iovec, gather_parts_max> parts;
  while (!queue_.empty() && !write_waiting_ && !broken_) {
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = gather(parts);
    const auto sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      drop_sent(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      write_waiting_ = true;
      post([self = shared_from_this()] { self->wait_writable(); });
    } else if (errno != EINTR) {
      broken_ = true;
    }
  }
  // The end of a connection and the end of a stall are the I/O thread's business.
  if (broken_ || (queue_.empty() && ending_) || stalled_ || congested_)
    post([self = shared_from_this()] { self->after_write(); });
}

void connection::drop_sent(std::size_t sent) {
  unsent_bytes_ -= sent;
  while (sent > 0) {
    const auto left = queue_.front().size() - sent_of_first_;
    if (sent < left) {
      sent_of_first_ += sent;
      return;
    }
    sent -= left;
    sent_of_first_ = 0;
    queue_.pop_front();
  }
}

void connection::wait_writable() {
  if (is_closed())
    return;
  socket_.async_wait(stream::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& failed) {
                       {
                         const std::lock_guard lock(self->write_mutex_);
                         self->write_waiting_ = false;
                         self->last_taken_ = clock::now();
                         self->broken_ = self->broken_ || failed;
                         self->write_queued();
                       }
                       self->after_write();
                     });
}

void connection::after_write() {
  bool over = false;
  bool tell = false;
  {
    const std::lock_guard lock(write_mutex_);
    over = broken_ || (ending_ && queue_.empty());
    if (!over && queue_.empty())
      tell = std::exchange(tell_when_sent_, false);
  }
  if (over) {
    do_close();
    return;
  }
  if (tell)
    dialect_->all_sent();
  if (has_room_for_pushes() && congested_.exchange(false))
    dialect_->relieved();
  look_again();
}

bool connection::is_deaf(clock::time_point now) {
  const std::lock_guard lock(write_mutex_);
  return !queue_.empty() && now - last_taken_ > limits_.idle_timeout;
}

// -- the end --------------------------------------------------------------------------------------

void connection::check_idle(clock::time_point now) {
  if (is_closed())
    return;
  if (total_->is_full())
    dialect_->hurry();
  if (ending_) {
    if (now - ending_since_ > linger_max)
      do_close();
    return;
  }
  if (!dialect_->is_established() && now - opened_ > limits_.handshake_timeout)
    end({errc::timed_out, "no request came within network.handshake-timeout"});
  else if (!partial_.empty() && now - partial_since_ > limits_.idle_timeout)
    end({errc::timed_out, "a frame was not completed within network.idle-timeout"});
  else if (is_deaf(now))
    end({errc::timed_out, "nothing of the answers was taken within network.idle-timeout"});
  else if (now - last_read_ > limits_.idle_timeout && own_.used() <= 0)
    end({errc::timed_out, "nothing came within network.idle-timeout"});
}

void connection::end(const error& why) {
  if (ending_ || is_closed())
    return;
  ending_ = true;
  ending_since_ = clock::now();
  dialect_->refuse(why);
  post([self = shared_from_this()] { self->after_write(); });
}

void connection::finish() {
  post([self = shared_from_this()] {
    if (self->ending_ || self->is_closed())
      return;
    self->ending_ = true;
    self->ending_since_ = clock::now();
    self->after_write();
  });
}

void connection::close() {
  post([self = shared_from_this()] { self->do_close(); });
}

void connection::do_close() {
  {
    const std::lock_guard lock(write_mutex_);
    if (closed_.exchange(true))
      return;
    // Nobody writes to a descriptor that may by then be somebody else's.
    broken_ = true;
    queue_.clear();
    if (open_)
      open_->fetch_sub(1);
    boost::system::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
  }
  retry_.cancel();
  dialect_->closed();
}

} // namespace aqueduct::actors::network

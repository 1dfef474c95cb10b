#include "apps/bench/floor_store.hpp"

#include "protocol/bytes.hpp"
#include "protocol/native/codec.hpp"

#include <climits>

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unordered_map>
#include <utility>

namespace aqueduct::bench {

namespace {

using protocol::api_key;

/// Where a frame's header has its correlation id.
constexpr std::size_t correlation_at = 12;

/// A floor without its disk measures nothing.
[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::_Exit(1);
}

template <protocol::defined M>
std::vector<std::byte> frame_of(api_key key, protocol::frame_kind kind, const M& message) {
  protocol::frame_header header;
  header.kind = kind;
  header.key = key;
  const auto whole = protocol::encode_frame(header, message).flatten();
  return {whole.bytes().begin(), whole.bytes().end()};
}

} // namespace

result<std::unique_ptr<floor_store>> floor_store::open(const floor_options& options) {
  std::unique_ptr<floor_store> store(new floor_store(options));
  for (int p = 0; p < options.partitions; ++p) {
    auto& made = store->files_.emplace_back();
    const auto path = options.directory + "/" + std::to_string(p);
    made.descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (made.descriptor < 0 ||
        ::fallocate(made.descriptor, 0, 0, static_cast<off_t>(options.file_bytes)) != 0)
      return unexpected(errc::storage_failed, path + ": " + std::strerror(errno));
  }
  for (int w = 0; w < std::max(options.writers, 1); ++w)
    store->writers_.emplace_back();
  if (options.writers > 0)
    for (auto& each : store->writers_)
      each.thread = std::thread([made = store.get(), &each] { made->run(each); });
  return store;
}

floor_store::~floor_store() {
  for (auto& each : writers_) {
    {
      const std::lock_guard lock(each.mutex);
      each.is_stopping = true;
    }
    each.wake.notify_one();
    if (each.thread.joinable())
      each.thread.join();
  }
  for (const auto& each : files_)
    if (each.descriptor >= 0)
      ::close(each.descriptor);
}

void floor_store::prepare_responses(const std::string& topic) {
  for (std::size_t p = 0; p < files_.size(); ++p) {
    protocol::produce_response response;
    auto& answered = response.topics.emplace_back();
    answered.name = topic;
    auto& partition = answered.partitions.emplace_back();
    partition.partition = static_cast<std::int32_t>(p);
    partition.base_offset = 0;
    files_[p].response = frame_of(api_key::produce, protocol::frame_kind::response, response);
  }
}

void floor_store::subscribe(int partition, const std::shared_ptr<floor_peer>& to,
                            std::uint32_t number) {
  const std::lock_guard lock(writer_of(partition).mutex);
  auto& subscribers = files_[static_cast<std::size_t>(partition)].subscribers;
  std::erase_if(subscribers, [](const subscription& each) { return each.to.expired(); });
  subscribers.push_back({to, number});
}

// -- writing --------------------------------------------------------------------------------------

void floor_store::append(int partition, const buffer& records, bool is_lasting,
                         const std::shared_ptr<floor_peer>& from, std::uint32_t correlation_id) {
  auto& to = writer_of(partition);
  auto& queued = files_[static_cast<std::size_t>(partition)].queued;
  bool was_idle = false;
  {
    const std::lock_guard lock(to.mutex);
    was_idle = to.dirty.empty();
    if (queued.acks.empty())
      to.dirty.push_back(partition);
    if (is_lasting)
      queued.large.push_back(records);
    else
      queued.small.insert(queued.small.end(), records.bytes().begin(), records.bytes().end());
    queued.acks.push_back({from, correlation_id});
  }
  if (was_idle && options_.writers > 0)
    to.wake.notify_one();
}

void floor_store::commit() {
  if (options_.writers > 0)
    return;
  std::unique_lock lock(writers_.front().mutex);
  write_dirty(writers_.front(), lock);
}

void floor_store::run(writer& me) {
  std::unique_lock lock(me.mutex);
  while (!me.is_stopping) {
    me.wake.wait(lock, [&] { return me.is_stopping || !me.dirty.empty(); });
    write_dirty(me, lock);
  }
}

void floor_store::write_dirty(writer& me, std::unique_lock<std::mutex>& lock) {
  if (me.dirty.empty())
    return;
  const auto partitions = std::exchange(me.dirty, {});
  std::vector<pending> taken;
  taken.reserve(partitions.size());
  for (const auto p : partitions)
    taken.push_back(std::exchange(files_[static_cast<std::size_t>(p)].queued, {}));
  lock.unlock();
  for (std::size_t i = 0; i < partitions.size(); ++i)
    write(files_[static_cast<std::size_t>(partitions[i])], taken[i]);
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    const auto& to = files_[static_cast<std::size_t>(partitions[i])];
    if (::fdatasync(to.descriptor) != 0)
      give_up("fdatasync");
    push(to, partitions[i], taken[i]);
    answer(to, taken[i]);
  }
  lock.lock();
}

void floor_store::write(file& to, const pending& what) const {
  std::vector<iovec> parts;
  std::size_t size = what.small.size();
  if (!what.small.empty())
    parts.push_back({const_cast<std::byte*>(what.small.data()), what.small.size()});
  for (const auto& each : what.large) {
    parts.push_back({const_cast<std::byte*>(each.data()), each.size()});
    size += each.size();
  }
  if (to.end + size > options_.file_bytes)
    to.end = 0;
  for (std::size_t first = 0; first < parts.size(); first += IOV_MAX) {
    const auto count = std::min<std::size_t>(parts.size() - first, IOV_MAX);
    std::size_t expected = 0;
    for (std::size_t i = first; i < first + count; ++i)
      expected += parts[i].iov_len;
    const auto written = ::pwritev(to.descriptor, parts.data() + first, static_cast<int>(count),
                                   static_cast<off_t>(to.end));
    if (written < 0 || static_cast<std::size_t>(written) != expected)
      give_up("pwritev");
    to.end += expected;
  }
}

void floor_store::answer(const file& from, const pending& what) {
  // One send for all answers to a connection.
  std::unordered_map<floor_peer*, std::vector<std::byte>> answers;
  for (const auto& each : what.acks) {
    auto& bytes = answers[each.to.get()];
    const auto at = bytes.size();
    bytes.insert(bytes.end(), from.response.begin(), from.response.end());
    store_be<std::uint32_t>(bytes.data() + at + correlation_at, each.correlation_id);
  }
  for (auto& [to, bytes] : answers)
    to->reply(bytes);
}

void floor_store::push(const file& from, int partition, const pending& what) {
  if (from.subscribers.empty())
    return;
  protocol::delivery delivery;
  delivery.partition = partition;
  delivery.records.append(buffer::copy_of(byte_span(what.small)));
  for (const auto& each : what.large)
    delivery.records.append(each);
  for (const auto& each : from.subscribers) {
    const auto to = each.to.lock();
    if (!to)
      continue;
    delivery.subscription = each.number;
    auto bytes = frame_of(api_key::delivery, protocol::frame_kind::push, delivery);
    to->reply(bytes);
  }
}

// -- reading --------------------------------------------------------------------------------------

std::size_t floor_store::read(int partition, std::uint64_t position,
                              std::span<std::byte> into) const {
  const auto got = ::pread(files_[static_cast<std::size_t>(partition)].descriptor, into.data(),
                           into.size(), static_cast<off_t>(position));
  if (got < 0)
    give_up("pread");
  return static_cast<std::size_t>(got);
}

} // namespace aqueduct::bench

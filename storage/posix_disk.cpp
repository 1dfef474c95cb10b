// System calls, and nothing else: loops over EINTR and partial transfers, and errno as errors.
#include "storage/posix_disk.hpp"

#include "storage/block_writer.hpp"

#include <climits>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>

namespace aqueduct::storage {

namespace {

constexpr std::size_t parts_max = IOV_MAX;

unexpected failed(const std::string& what, const std::string& path, int number) {
  errc code = errc::storage_failed;
  if (number == ENOSPC || number == EDQUOT)
    code = errc::storage_full;
  else if (number == ENOENT)
    code = errc::not_found;
  return unexpected(code,
                    "cannot " + what + " " + path + ": " + std::generic_category().message(number));
}

/// Repeats a system call that a signal interrupts.
template <class Call>
auto retried(Call call) {
  auto value = call();
  while (value < 0 && errno == EINTR)
    value = call();
  return value;
}

/// An open descriptor, closed by the destructor.
class descriptor {
public:
  explicit descriptor(int number) : number_(number) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (number_ >= 0)
      ::close(number_);
  }
  [[nodiscard]] int number() const { return number_; }

private:
  int number_;
};

int open_descriptor(const std::string& path, int flags) {
  return retried([&] { return ::open(path.c_str(), flags, 0640); });
}

/// Drops the first `count` bytes of what is left to write.
void advance(std::vector<iovec>& parts, std::size_t& first, std::size_t count) {
  while (first < parts.size() && count >= parts[first].iov_len) {
    count -= parts[first].iov_len;
    ++first;
  }
  if (count > 0) {
    parts[first].iov_base = static_cast<char*>(parts[first].iov_base) + count;
    parts[first].iov_len -= count;
  }
}

class posix_file final : public file, private block_target {
public:
  posix_file(int number, std::string path, const posix_options& options)
      : descriptor_(number), path_(std::move(path)), options_(options) {}

  result<void> write_at(std::uint64_t position, std::span<const byte_span> parts) override {
    std::uint64_t size = 0;
    for (const auto& part : parts)
      size += part.size();
    if (size == 0)
      return {};
    track();
    if (!is_direct(size) || !blocks_->fits(position, size)) {
      auto written = write_buffered(position, parts);
      if (blocks_)
        blocks_->note_written(position, size);
      return settled(std::move(written));
    }
    auto written = blocks_->write(*this, position, parts, size);
    if (written || !is_refused_)
      return settled(std::move(written));
    // Blocks of another size, or none at all: the kernel knows how to write here.
    direct_.reset();
    return settled(write_buffered(position, parts));
  }

  [[nodiscard]] result<std::size_t> read_at(std::uint64_t position,
                                            std::span<std::byte> into) const override {
    std::size_t done = 0;
    while (done < into.size()) {
      const auto count = retried([&] {
        return ::pread(descriptor_.number(), into.data() + done, into.size() - done,
                       static_cast<off_t>(position + done));
      });
      if (count < 0)
        return failed("read", path_, errno);
      if (count == 0)
        break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  }

  result<void> sync() override {
    if (retried([&] { return ::fdatasync(descriptor_.number()); }) != 0)
      return failed("sync", path_, errno);
    return {};
  }

  result<void> allocate(std::uint64_t from, std::uint64_t size) override {
    track();
    auto reserved = reserve(from, size);
    if (reserved && blocks_)
      blocks_->note_allocated(from + size);
    return settled(std::move(reserved));
  }

  result<void> truncate(std::uint64_t size) override {
    if (retried([&] { return ::ftruncate(descriptor_.number(), static_cast<off_t>(size)); }) != 0)
      return settled(failed("truncate", path_, errno));
    if (blocks_)
      blocks_->note_truncated(size);
    return {};
  }

  [[nodiscard]] result<std::uint64_t> size() const override {
    struct stat status {};
    if (::fstat(descriptor_.number(), &status) != 0)
      return failed("look at", path_, errno);
    return static_cast<std::uint64_t>(status.st_size);
  }

  [[nodiscard]] const std::string& path() const override { return path_; }

private:
  /// What is known of the file's end is forgotten with a call that failed.
  result<void> settled(result<void> outcome) {
    if (!outcome)
      blocks_.reset();
    return outcome;
  }

  result<void> reserve(std::uint64_t from, std::uint64_t size) {
    const auto made = retried([&] {
      return ::fallocate(descriptor_.number(), 0, static_cast<off_t>(from),
                         static_cast<off_t>(size));
    });
    if (made == 0)
      return {};
    if (errno != EOPNOTSUPP && errno != ENOSYS)
      return failed("reserve space in", path_, errno);
    // Not every file system can reserve; the length alone is what the contract still gives.
    const auto length = this->size();
    if (!length)
      return length.propagate();
    return *length < from + size ? truncate(from + size) : result<void>();
  }

  result<void> write_buffered(std::uint64_t position, std::span<const byte_span> parts) {
    std::vector<iovec> left;
    left.reserve(parts.size());
    for (const auto& part : parts)
      if (!part.empty())
        left.push_back({const_cast<std::byte*>(part.data()), part.size()});
    for (std::size_t first = 0; first < left.size();) {
      const auto count = static_cast<int>(std::min(left.size() - first, parts_max));
      const auto written = retried([&] {
        return ::pwritev(descriptor_.number(), left.data() + first, count,
                         static_cast<off_t>(position));
      });
      if (written < 0)
        return failed("write", path_, errno);
      if (written == 0)
        return failed("write", path_, EIO);
      position += static_cast<std::uint64_t>(written);
      advance(left, first, static_cast<std::size_t>(written));
    }
    return {};
  }

  // -- past the page cache ------------------------------------------------------------------------

  /// From the first change of the file on, so that the zeros behind its end are known.
  void track() {
    if (options_.direct_writes && !is_refused_ && !blocks_)
      if (const auto now = size(); now)
        blocks_.emplace(*now, options_.block_bytes);
  }

  /// Whether the next write goes past the page cache. Once a write did all do: a page that is
  /// written to in part would have to be read first.
  bool is_direct(std::uint64_t size) {
    if (!blocks_ || is_refused_ || (!direct_ && size < options_.direct_bytes_min))
      return false;
    if (!direct_) {
      direct_.emplace(open_descriptor(path_, O_WRONLY | O_DIRECT | O_CLOEXEC));
      // The name may be another file's by now, or the file system cannot (EINVAL).
      is_refused_ = !is_same_file();
      if (is_refused_)
        direct_.reset();
    }
    return !is_refused_;
  }

  [[nodiscard]] bool is_same_file() const {
    struct stat mine {};
    struct stat other {};
    return direct_->number() >= 0 && ::fstat(descriptor_.number(), &mine) == 0 &&
           ::fstat(direct_->number(), &other) == 0 && mine.st_dev == other.st_dev &&
           mine.st_ino == other.st_ino;
  }

  result<std::size_t> read_block(std::uint64_t position, std::span<std::byte> into) override {
    return read_at(position, into);
  }

  result<void> write_blocks(std::uint64_t position, byte_span blocks) override {
    while (!blocks.empty()) {
      const auto written = retried([&] {
        return ::pwrite(direct_->number(), blocks.data(), blocks.size(),
                        static_cast<off_t>(position));
      });
      is_refused_ = written < 0 && errno == EINVAL;
      if (written < 0)
        return failed("write", path_, errno);
      // A piece of a block is written again with its whole.
      const auto whole =
          static_cast<std::size_t>(written) / options_.block_bytes * options_.block_bytes;
      if (whole == 0)
        return failed("write", path_, EIO);
      position += whole;
      blocks = blocks.subspan(whole);
    }
    return {};
  }

  descriptor descriptor_;
  std::string path_;
  posix_options options_;
  std::optional<descriptor> direct_;
  std::optional<block_writer> blocks_;
  /// The kernel does not write this file in such blocks.
  bool is_refused_ = false;
};

class posix_lock final : public file_lock {
public:
  explicit posix_lock(int number) : descriptor_(number) {}
  [[nodiscard]] int number() const { return descriptor_.number(); }

private:
  descriptor descriptor_;
};

int flags_of(open_mode mode) {
  switch (mode) {
  case open_mode::read:
    return O_RDONLY | O_CLOEXEC;
  case open_mode::write:
    return O_RDWR | O_CLOEXEC;
  case open_mode::create:
    return O_RDWR | O_CREAT | O_CLOEXEC;
  case open_mode::create_new:
    return O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
  }
  return O_RDONLY | O_CLOEXEC;
}

} // namespace

result<std::shared_ptr<file>> posix_disk::open(const std::string& path, open_mode mode) {
  const int number = open_descriptor(path, flags_of(mode));
  if (number < 0 && errno == EEXIST)
    return unexpected(errc::conflict, "cannot make " + path + ": it exists");
  if (number < 0)
    return failed("open", path, errno);
  auto options = options_;
  options.direct_writes = options.direct_writes && mode != open_mode::read;
  return std::shared_ptr<file>(std::make_shared<posix_file>(number, path, options));
}

result<void> posix_disk::make_directories(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0)
    return S_ISDIR(status.st_mode) ? result<void>() : failed("make folder", path, ENOTDIR);
  const auto parent = parent_path(path);
  if (parent != path)
    if (auto made = make_directories(parent); !made)
      return made;
  if (::mkdir(path.c_str(), 0750) != 0 && errno != EEXIST)
    return failed("make folder", path, errno);
  return sync_directory(parent);
}

result<void> posix_disk::sync_directory(const std::string& path) {
  const descriptor opened(open_descriptor(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.number() < 0)
    return failed("open folder", path, errno);
  if (retried([&] { return ::fsync(opened.number()); }) != 0)
    return failed("sync folder", path, errno);
  return {};
}

result<void> posix_disk::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return failed("rename to " + to, from, errno);
  return {};
}

result<void> posix_disk::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0)
    return failed("remove", path, errno);
  return {};
}

result<void> posix_disk::remove_tree(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0)
    return errno == ENOENT ? result<void>() : failed("look at", path, errno);
  if (!S_ISDIR(status.st_mode))
    return remove(path);
  auto names = list(path);
  if (!names)
    return names.propagate();
  for (const auto& name : *names)
    if (auto gone = remove_tree(path + "/" + name); !gone && gone.error().code != errc::not_found)
      return gone;
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT)
    return failed("remove folder", path, errno);
  return {};
}

result<std::vector<std::string>> posix_disk::list(const std::string& path) {
  DIR* folder = ::opendir(path.c_str());
  if (folder == nullptr)
    return failed("list", path, errno);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..")
      names.push_back(name);
    errno = 0;
  }
  const int number = errno;
  ::closedir(folder);
  if (number != 0)
    return failed("list", path, number);
  std::sort(names.begin(), names.end());
  return names;
}

result<bool> posix_disk::exists(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0)
    return true;
  if (errno == ENOENT || errno == ENOTDIR)
    return false;
  return failed("look at", path, errno);
}

result<std::unique_ptr<file_lock>> posix_disk::lock_file(const std::string& path) {
  auto lock = std::make_unique<posix_lock>(open_descriptor(path, O_RDWR | O_CREAT | O_CLOEXEC));
  if (lock->number() < 0)
    return failed("open lock", path, errno);
  if (retried([&] { return ::flock(lock->number(), LOCK_EX | LOCK_NB); }) != 0) {
    if (errno == EWOULDBLOCK)
      return unexpected(errc::conflict, path + " is locked by another process");
    return failed("lock", path, errno);
  }
  return std::unique_ptr<file_lock>(std::move(lock));
}

result<disk_space> posix_disk::space(const std::string& path) {
  struct statvfs status {};
  if (retried([&] { return ::statvfs(path.c_str(), &status); }) != 0)
    return failed("look at the file system of", path, errno);
  return disk_space{static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize,
                    static_cast<std::uint64_t>(status.f_blocks) * status.f_frsize};
}

} // namespace aqueduct::storage

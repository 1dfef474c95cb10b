// Writing in whole blocks: against a file in memory that takes nothing else, and on the POSIX disk,
// where the kernel does.
#include "storage/block_writer.hpp"
#include "tests/storage/support.hpp"
#include "tests/storage/temporary_directory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <optional>
#include <string_view>
#include <thread>

using namespace aqueduct;
using namespace aqueduct::storage;
using namespace aqueduct::storage::test;

namespace {

constexpr std::size_t block = 16;
/// What a disk writes as a whole or not at all.
constexpr std::size_t sector = 4;

using content = std::vector<std::byte>;

/// A file in memory that is written in whole blocks only, and never becomes longer by it.
class memory_target final : public block_target {
public:
  content bytes;
  int reads = 0;
  bool fails_writing = false;
  bool fails_reading = false;
  /// Of the next write only some sectors arrive, as when the power goes; it fails.
  generator* tears = nullptr;

  result<std::size_t> read_block(std::uint64_t position, std::span<std::byte> into) override {
    ++reads;
    if (fails_reading)
      return unexpected(errc::storage_failed, "cannot read");
    REQUIRE(position % block == 0);
    if (position >= bytes.size())
      return 0u;
    const auto count = std::min<std::size_t>(into.size(), bytes.size() - position);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(position), count, into.begin());
    return count;
  }
  result<void> write_blocks(std::uint64_t position, byte_span blocks) override {
    REQUIRE(position % block == 0);
    REQUIRE(blocks.size() % block == 0);
    REQUIRE(reinterpret_cast<std::uintptr_t>(blocks.data()) % block == 0);
    REQUIRE(position + blocks.size() <= bytes.size());
    if (fails_writing)
      return unexpected(errc::storage_failed, "cannot write");
    if (tears != nullptr) {
      for (std::size_t at = 0; at < blocks.size(); at += sector)
        if (tears->below(2) == 0)
          std::ranges::copy(blocks.subspan(at, sector),
                            bytes.begin() + static_cast<std::ptrdiff_t>(position + at));
      return unexpected(errc::storage_failed, "the power is gone");
    }
    std::ranges::copy(blocks, bytes.begin() + static_cast<std::ptrdiff_t>(position));
    return {};
  }
};

content random_bytes(generator& random, std::size_t size) {
  content bytes(size);
  for (auto& each : bytes)
    each = static_cast<std::byte>(random.next() | 1);
  return bytes;
}

/// The bytes in up to four parts, some of them empty.
std::vector<byte_span> split(generator& random, byte_span bytes) {
  std::vector<byte_span> parts;
  for (int i = 0; i < 3; ++i) {
    const auto count = random.below(bytes.size() + 1);
    parts.push_back(bytes.first(count));
    bytes = bytes.subspan(count);
  }
  parts.push_back(bytes);
  return parts;
}

void overwrite(content& at, std::uint64_t position, byte_span bytes) {
  at.resize(std::max<std::size_t>(at.size(), position + bytes.size()));
  std::ranges::copy(bytes, at.begin() + static_cast<std::ptrdiff_t>(position));
}

/// Where a write of a random life begins: mostly behind the former one.
std::uint64_t next_position(generator& random, std::uint64_t end, std::uint64_t size) {
  switch (random.below(8)) {
  case 0:
    return random.below(size + 1);
  case 1:
    return end + random.below(3 * block);
  default:
    return end;
  }
}

} // namespace

TEST_SUITE("storage.block_writer") {
  TEST_CASE("whatever of a write arrives when the power goes, what was written before it stays") {
    int torn = 0;
    for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
      CAPTURE(seed);
      generator random(seed);
      memory_target target;
      // A log that is appended to within the space that is reserved for it.
      target.bytes.resize(block * (4 + random.below(12)));
      content appended;
      std::optional<block_writer> writer;
      writer.emplace(target.bytes.size(), block);
      for (;;) {
        const auto more = random_bytes(random, 1 + random.below(3 * block));
        const auto parts = split(random, more);
        if (!writer->fits(appended.size(), more.size()))
          break;
        target.tears = random.below(4) == 0 ? &random : nullptr;
        const auto written = writer->write(target, appended.size(), parts, more.size());
        REQUIRE(written.has_value() == (target.tears == nullptr));
        REQUIRE(std::ranges::equal(appended, byte_span(target.bytes).first(appended.size())));
        if (written) {
          overwrite(appended, appended.size(), more);
          continue;
        }
        // The next life cuts off what it cannot vouch for, and goes on there.
        ++torn;
        const auto size = target.bytes.size();
        target.bytes.resize(appended.size());
        target.bytes.resize(size);
        writer.emplace(size, block);
        if (random.below(2) == 0) {
          writer->note_truncated(appended.size());
          writer->note_allocated(size);
        }
      }
      REQUIRE(std::ranges::equal(appended, byte_span(target.bytes).first(appended.size())));
    }
    CHECK(torn > 1000);
  }

  TEST_CASE("random writes leave exactly what was written") {
    for (std::uint64_t seed = 1; seed <= 400; ++seed) {
      CAPTURE(seed);
      generator random(seed);
      memory_target target;
      target.bytes = random_bytes(random, random.below(5 * block));
      auto expected = target.bytes;
      block_writer writer(target.bytes.size(), block);
      std::uint64_t end = target.bytes.size();
      for (int step = 0; step < 60; ++step) {
        const auto bytes = random_bytes(random, 1 + random.below(4 * block));
        const auto position = next_position(random, end, target.bytes.size());
        if (random.below(10) == 0) {
          end = random.below(target.bytes.size() + 1);
          target.bytes.resize(end);
          expected.resize(end);
          writer.note_truncated(end);
        } else if (random.below(4) == 0) {
          const auto size = std::max<std::size_t>(target.bytes.size(), random.below(40 * block));
          target.bytes.resize(size);
          expected.resize(size);
          writer.note_allocated(size);
        } else if (!writer.fits(position, bytes.size())) {
          overwrite(target.bytes, position, bytes);
          overwrite(expected, position, bytes);
          writer.note_written(position, bytes.size());
          end = position + bytes.size();
        } else {
          REQUIRE_OK(writer.write(target, position, split(random, bytes), bytes.size()));
          overwrite(expected, position, bytes);
          end = position + bytes.size();
        }
        REQUIRE(target.bytes == expected);
      }
    }
  }

  TEST_CASE("a range fits when its last block does") {
    const block_writer writer(3 * block + 1, block);
    CHECK(writer.fits(0, 3 * block));
    CHECK(writer.fits(5, 2 * block));
    CHECK_FALSE(writer.fits(3 * block, 1));
    CHECK_FALSE(writer.fits(0, 4 * block));
  }

  TEST_CASE("appending to reserved space never reads") {
    memory_target target;
    block_writer writer(0, block);
    target.bytes.resize(1000 * block);
    writer.note_allocated(target.bytes.size());
    generator random(7);
    content expected(target.bytes.size());
    for (std::uint64_t end = 0; end < 900 * block;) {
      const auto bytes = random_bytes(random, 1 + random.below(3 * block));
      REQUIRE_OK(writer.write(target, end, split(random, bytes), bytes.size()));
      overwrite(expected, end, bytes);
      end += bytes.size();
    }
    CHECK(target.bytes == expected);
    CHECK(target.reads == 0);
  }

  TEST_CASE("more than a chunk is written in chunks") {
    memory_target target;
    block_writer writer(0, block);
    const auto size = 2 * block_writer::chunk_bytes_max + 5;
    target.bytes.resize(size + 2 * block);
    writer.note_allocated(target.bytes.size());
    generator random(9);
    const auto bytes = random_bytes(random, size);
    REQUIRE_OK(writer.write(target, 3, split(random, bytes), bytes.size()));
    content expected(target.bytes.size());
    overwrite(expected, 3, bytes);
    CHECK(target.bytes == expected);
  }

  TEST_CASE("errors of the file are passed on, and nothing is taken for kept") {
    memory_target target;
    block_writer writer(0, block);
    target.bytes.resize(8 * block);
    writer.note_allocated(target.bytes.size());
    const auto bytes = bytes_of("0123456789");
    REQUIRE_OK(writer.write(target, 0, std::span(&bytes, 1), bytes.size()));
    target.fails_writing = true;
    CHECK_FAILS(writer.write(target, bytes.size(), std::span(&bytes, 1), bytes.size()),
                errc::storage_failed);
    target.fails_writing = false;
    target.fails_reading = true;
    CHECK_FAILS(writer.write(target, bytes.size(), std::span(&bytes, 1), bytes.size()),
                errc::storage_failed);
    target.fails_reading = false;
    REQUIRE_OK(writer.write(target, bytes.size(), std::span(&bytes, 1), bytes.size()));
    content expected(target.bytes.size());
    overwrite(expected, 0, bytes);
    overwrite(expected, bytes.size(), bytes);
    CHECK(target.bytes == expected);
  }
}

namespace {

content all_of(const file& source) {
  const auto size = source.size();
  REQUIRE(size);
  content bytes(*size);
  const auto count = source.read_at(0, bytes);
  REQUIRE(count);
  REQUIRE(*count == bytes.size());
  return bytes;
}

std::size_t random_size(generator& random) {
  constexpr std::array<std::size_t, 4> most{200, 5000, 100'000, 2'500'000};
  return 1 + random.below(most.at(random.below(10) == 0 ? 3 : random.below(3)));
}

/// A file that is written to, truncated, reserved and opened again as a log does it, and at random
/// places, against what should be in it.
void check_random_life(const posix_options& options, std::uint64_t seed) {
  CAPTURE(seed);
  const temporary_directory root;
  const auto path = root.path() + "/f";
  posix_disk files(options);
  auto opened = files.open(path, open_mode::create);
  REQUIRE_OK(opened);
  generator random(seed);
  content expected;
  std::uint64_t end = 0;
  for (int step = 0; step < 80; ++step) {
    auto& f = **opened;
    const auto bytes = random_bytes(random, random_size(random));
    switch (random.below(10)) {
    case 0:
      end = random.below(expected.size() + 1);
      expected.resize(end);
      REQUIRE_OK(f.truncate(end));
      break;
    case 1:
      opened = files.open(path, open_mode::write);
      REQUIRE_OK(opened);
      break;
    case 2:
      REQUIRE_OK(f.allocate(end, 1 << 20));
      expected.resize(std::max<std::size_t>(expected.size(), end + (1 << 20)));
      break;
    default: {
      const auto position = next_position(random, end, expected.size());
      REQUIRE_OK(f.write_at(position, split(random, bytes)));
      overwrite(expected, position, bytes);
      end = position + bytes.size();
      if (random.below(3) == 0)
        REQUIRE_OK(f.sync());
    }
    }
    if (step % 8 == 7)
      REQUIRE(all_of(**opened) == expected);
  }
  REQUIRE(all_of(**opened) == expected);
}

/// Whether the first page of the file is in the page cache; nothing where the kernel does not say.
/// Reading with RWF_NOWAIT would bring it there, at times at once.
std::optional<bool> is_cached(const std::string& path) {
  const int number = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(number >= 0);
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* mapped = ::mmap(nullptr, page, PROT_READ, MAP_SHARED, number, 0);
  ::close(number);
  REQUIRE(mapped != MAP_FAILED);
  unsigned char is_there = 0;
  const int told = ::mincore(mapped, page, &is_there);
  ::munmap(mapped, page);
  return told == 0 ? std::optional((is_there & 1) != 0) : std::nullopt;
}

/// Whether the file system of the folder writes past the page cache.
bool can_write_directly(const std::string& folder) {
  const int number =
      ::open((folder + "/probe").c_str(), O_WRONLY | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
  if (number < 0)
    return false;
  alignas(4096) static const std::array<std::byte, 4096> page{};
  const auto written = ::pwrite(number, page.data(), page.size(), 0);
  ::close(number);
  return written == static_cast<ssize_t>(page.size()) &&
         is_cached(folder + "/probe") == std::optional(false);
}

/// A limit of the process that is lower as long as this lives.
class lowered_limit {
public:
  lowered_limit(__rlimit_resource which, rlim_t to) : which_(which) {
    REQUIRE(::getrlimit(which_, &before_) == 0);
    const rlimit lower{to, before_.rlim_max};
    REQUIRE(::setrlimit(which_, &lower) == 0);
  }
  ~lowered_limit() { ::setrlimit(which_, &before_); }
  lowered_limit(const lowered_limit&) = delete;
  lowered_limit& operator=(const lowered_limit&) = delete;

private:
  __rlimit_resource which_;
  rlimit before_{};
};

void reserve_and_write(disk& files, const std::string& path, std::size_t size) {
  auto opened = files.open(path, open_mode::create);
  REQUIRE_OK(opened);
  REQUIRE_OK((*opened)->allocate(0, 1 << 20));
  const std::string text(size, 'x');
  REQUIRE_OK((*opened)->write_at(0, bytes_of(text)));
  REQUIRE_OK((*opened)->sync());
}

} // namespace

TEST_SUITE("storage.direct_writes") {
  TEST_CASE("files that are written past the page cache hold exactly what was written") {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      check_random_life({.direct_writes = true}, seed);
      check_random_life({.direct_writes = true, .direct_bytes_min = 1}, seed);
    }
  }

  TEST_CASE("where the kernel does not take the blocks, files are written through the page cache") {
    for (std::uint64_t seed = 1; seed <= 4; ++seed)
      check_random_life({.direct_writes = true, .direct_bytes_min = 1, .block_bytes = 64}, seed);
  }

  TEST_CASE("large writes leave nothing in the page cache, small ones may") {
    const temporary_directory root;
    if (!can_write_directly(root.path())) {
      MESSAGE("an empty page cache is not tested: this file system does not write past it");
      return;
    }
    posix_disk direct({.direct_writes = true});
    reserve_and_write(direct, root.path() + "/large", 100'000);
    CHECK(is_cached(root.path() + "/large") == std::optional(false));
    reserve_and_write(direct, root.path() + "/small", 100);
    CHECK(is_cached(root.path() + "/small") == std::optional(true));
    posix_disk buffered;
    reserve_and_write(buffered, root.path() + "/buffered", 100'000);
    CHECK(is_cached(root.path() + "/buffered") == std::optional(true));
  }

  TEST_CASE("a file whose name is another's by now is still the one that is written") {
    const temporary_directory root;
    posix_disk files({.direct_writes = true, .direct_bytes_min = 1});
    const auto path = root.path() + "/f";
    auto mine = files.open(path, open_mode::create);
    REQUIRE_OK(mine);
    REQUIRE_OK((*mine)->allocate(0, 64 << 10));
    REQUIRE_OK(files.remove(path));
    auto others = files.open(path, open_mode::create_new);
    REQUIRE_OK(others);
    REQUIRE_OK((*mine)->write_at(0, bytes_of("mine")));
    CHECK(*(*others)->size() == 0);
    std::string text(4, '?');
    REQUIRE_OK((*mine)->read_at(0, std::as_writable_bytes(std::span(text))));
    CHECK(text == "mine");
  }

  TEST_CASE("without a descriptor to spare a file is written through the page cache") {
    const temporary_directory root;
    posix_disk files({.direct_writes = true, .direct_bytes_min = 1});
    auto opened = files.open(root.path() + "/f", open_mode::create);
    REQUIRE_OK(opened);
    REQUIRE_OK((*opened)->allocate(0, 64 << 10));
    {
      // The next descriptor that is free is above the limit.
      const int next = ::dup(0);
      REQUIRE(next >= 0);
      ::close(next);
      const lowered_limit none_left(RLIMIT_NOFILE, static_cast<rlim_t>(next));
      REQUIRE_OK((*opened)->write_at(0, bytes_of("mine")));
    }
    REQUIRE_OK((*opened)->write_at(4, bytes_of(" too")));
    REQUIRE_OK((*opened)->sync());
    const auto bytes = all_of(**opened);
    CHECK(std::string_view(reinterpret_cast<const char*>(bytes.data()), 9) ==
          std::string_view("mine too\0", 9));
  }

  TEST_CASE("a write of which the file takes a piece fails, and the next one is whole") {
    const temporary_directory root;
    const auto path = root.path() + "/f";
    posix_disk files({.direct_writes = true, .direct_bytes_min = 1});
    auto opened = files.open(path, open_mode::create);
    REQUIRE_OK(opened);
    REQUIRE_OK((*opened)->allocate(0, 256 << 10));
    const std::string before(100, 'a');
    REQUIRE_OK((*opened)->write_at(0, bytes_of(before)));
    const std::string more(100'000, 'b');
    {
      // In the middle of a block, so that the kernel takes less than all blocks.
      const auto old = ::signal(SIGXFSZ, SIG_IGN);
      const lowered_limit small(RLIMIT_FSIZE, 5 * 4096 + 512);
      CHECK_FAILS((*opened)->write_at(before.size(), bytes_of(more)), errc::storage_failed);
      ::signal(SIGXFSZ, old);
    }
    REQUIRE_OK((*opened)->write_at(before.size(), bytes_of(more)));
    REQUIRE_OK((*opened)->sync());
    const auto bytes = all_of(**opened);
    CHECK(std::string_view(reinterpret_cast<const char*>(bytes.data()),
                           before.size() + more.size()) == before + more);
  }

  TEST_CASE("a file that is open for reading is not written to") {
    const temporary_directory root;
    posix_disk files({.direct_writes = true, .direct_bytes_min = 1});
    const auto path = root.path() + "/f";
    reserve_and_write(files, path, 3);
    auto reading = files.open(path, open_mode::read);
    REQUIRE_OK(reading);
    CHECK_FAILS((*reading)->write_at(0, bytes_of("yyy")), errc::storage_failed);
    CHECK(all_of(**reading).front() == std::byte{'x'});
  }

  TEST_CASE("readers see every byte that was written, while more is written behind it") {
    constexpr std::size_t size = 8 << 20;
    const temporary_directory root;
    posix_disk files({.direct_writes = true, .direct_bytes_min = 1});
    auto opened = files.open(root.path() + "/f", open_mode::create);
    REQUIRE_OK(opened);
    REQUIRE_OK((*opened)->allocate(0, size));
    generator random(3);
    const auto bytes = random_bytes(random, size);
    std::atomic<std::uint64_t> written = 0;
    std::atomic<int> wrong = 0;
    std::thread reader([&, source = *opened] {
      generator places(4);
      while (written < size) {
        const std::uint64_t end = written;
        const auto from = end - places.below(std::min<std::uint64_t>(end, 20'000) + 1);
        content found(end - from);
        const auto count = source->read_at(from, found);
        if (!count || *count != found.size() ||
            !std::equal(found.begin(), found.end(),
                        bytes.begin() + static_cast<std::ptrdiff_t>(from)))
          ++wrong;
      }
    });
    for (std::uint64_t at = 0; at < size;) {
      const auto count = std::min<std::size_t>(size - at, 1 + random.below(30'000));
      const auto ok = (*opened)->write_at(at, byte_span(bytes).subspan(at, count));
      if (!ok)
        ++wrong;
      at += count;
      written = at;
    }
    reader.join();
    CHECK(wrong == 0);
  }
}

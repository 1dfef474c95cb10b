// See block_writer.hpp.
#include "storage/block_writer.hpp"

#include "protocol/invariant.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace aqueduct::storage {

namespace {

/// Memory at a multiple of a block, of one thread, kept from write to write.
class aligned_area {
public:
  std::span<std::byte> of(std::size_t size, std::size_t block_bytes) {
    if (size > size_ || reinterpret_cast<std::uintptr_t>(memory_.get()) % block_bytes != 0) {
      memory_.reset(static_cast<std::byte*>(std::aligned_alloc(block_bytes, size)));
      if (!memory_)
        throw std::bad_alloc();
      size_ = size;
    }
    return {memory_.get(), size};
  }

private:
  struct release {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::byte, release> memory_;
  std::size_t size_ = 0;
};

/// Copies out of the parts, one piece after the other.
class parts_cursor {
public:
  explicit parts_cursor(std::span<const byte_span> parts) : parts_(parts) {}

  void copy_to(std::span<std::byte> into) {
    while (!into.empty()) {
      const auto left = parts_.front().subspan(done_);
      const auto count = std::min(left.size(), into.size());
      if (count > 0)
        std::memcpy(into.data(), left.data(), count);
      into = into.subspan(count);
      done_ += count;
      if (done_ == parts_.front().size()) {
        parts_ = parts_.subspan(1);
        done_ = 0;
      }
    }
  }

private:
  std::span<const byte_span> parts_;
  /// Of the first one.
  std::size_t done_ = 0;
};

/// Bytes from `end` to the end of its block.
std::uint64_t padding(std::uint64_t end, std::size_t block_bytes) {
  return (block_bytes - end % block_bytes) % block_bytes;
}

} // namespace

block_writer::block_writer(std::uint64_t file_size, std::size_t block_bytes)
    : block_bytes_(block_bytes), file_size_(file_size), zeros_from_(file_size) {}

bool block_writer::fits(std::uint64_t position, std::uint64_t size) const {
  const auto end = position + size;
  return end <= file_size_ && padding(end, block_bytes_) <= file_size_ - end;
}

result<void> block_writer::write(block_target& target, std::uint64_t position,
                                 std::span<const byte_span> parts, std::uint64_t size) {
  AQUEDUCT_INVARIANT(size > 0 && fits(position, size), std::to_string(position));
  thread_local aligned_area memory;
  const auto end = position + size;
  const auto first = position - position % block_bytes_;
  const auto behind = end + padding(end, block_bytes_);
  const auto area =
      memory.of(std::min<std::uint64_t>(behind - first, chunk_bytes_max), block_bytes_);
  parts_cursor source(parts);
  for (auto at = first; at < behind; at += area.size()) {
    const auto chunk = area.first(std::min<std::uint64_t>(behind - at, area.size()));
    const auto from = static_cast<std::size_t>(std::max(position, at) - at);
    const auto to = static_cast<std::size_t>(std::min<std::uint64_t>(end - at, chunk.size()));
    if (from > 0)
      if (auto loaded = load(target, at, chunk.first(block_bytes_)); !loaded)
        return loaded;
    // A block that the range begins and ends in was loaded above.
    if (to < chunk.size() && (from == 0 || chunk.size() > block_bytes_)) {
      const auto last = chunk.last(block_bytes_);
      if (auto loaded = load(target, behind - block_bytes_, last); !loaded)
        return loaded;
    }
    source.copy_to(chunk.subspan(from, to - from));
    if (auto written = target.write_blocks(at, chunk); !written) {
      note_written(position, size);
      return written;
    }
    if (at + chunk.size() == behind) {
      zeros_from_ = std::max(zeros_from_, end);
      keep(end, chunk.last(block_bytes_));
    }
  }
  return {};
}

result<void> block_writer::load(block_target& target, std::uint64_t position,
                                std::span<std::byte> into) const {
  if (position >= zeros_from_) {
    std::ranges::fill(into, std::byte{0});
    return {};
  }
  if (kept_end_ && *kept_end_ - kept_.size() == position) {
    std::ranges::copy(kept_, into.begin());
    std::fill(into.begin() + static_cast<std::ptrdiff_t>(kept_.size()), into.end(), std::byte{0});
    return {};
  }
  const auto count = target.read_block(position, into);
  if (!count)
    return count.propagate();
  std::fill(into.begin() + static_cast<std::ptrdiff_t>(*count), into.end(), std::byte{0});
  return {};
}

void block_writer::keep(std::uint64_t end, byte_span last_block) {
  const auto used = end % block_bytes_;
  kept_end_.reset();
  // Bytes that follow in the block would have to be kept too; only who overwrites has such.
  if (used == 0 || end < zeros_from_)
    return;
  kept_.assign(last_block.begin(), last_block.begin() + static_cast<std::ptrdiff_t>(used));
  kept_end_ = end;
}

void block_writer::note_written(std::uint64_t position, std::uint64_t size) {
  file_size_ = std::max(file_size_, position + size);
  zeros_from_ = std::max(zeros_from_, position + size);
  kept_end_.reset();
}

void block_writer::note_allocated(std::uint64_t file_size) {
  file_size_ = std::max(file_size_, file_size);
}

void block_writer::note_truncated(std::uint64_t file_size) {
  file_size_ = file_size;
  zeros_from_ = std::min(zeros_from_, file_size);
  if (kept_end_ && *kept_end_ > file_size)
    kept_end_.reset();
}

} // namespace aqueduct::storage

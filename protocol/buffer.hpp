// Reference-counted bytes. A payload is read from the socket into one allocation and from then on
// only slices of it travel: to the disk, to the tail cache, to the sockets of consumers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace aqueduct {

using byte_span = std::span<const std::byte>;

/// An immutable slice of shared memory. Copying shares; thread-safe like std::shared_ptr.
class buffer {
public:
  buffer() = default;
  buffer(std::shared_ptr<const std::byte> data, std::size_t size)
      : data_(std::move(data)), size_(size) {}

  /// A copy of `bytes` in memory of its own.
  [[nodiscard]] static buffer copy_of(byte_span bytes);
  [[nodiscard]] static buffer copy_of(std::string_view text);
  /// Takes the vector over without a copy.
  [[nodiscard]] static buffer from(std::vector<std::byte> bytes);

  [[nodiscard]] const std::byte* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] byte_span bytes() const { return {data_.get(), size_}; }
  [[nodiscard]] std::string_view text() const {
    return {reinterpret_cast<const char*>(data_.get()), size_};
  }
  [[nodiscard]] const std::shared_ptr<const std::byte>& owner() const { return data_; }

  /// The `count` bytes from `from` on. Precondition: they lie within the buffer.
  [[nodiscard]] buffer slice(std::size_t from, std::size_t count) const {
    return {std::shared_ptr<const std::byte>(data_, data_.get() + from), count};
  }

  /// Equal bytes; where they lie does not matter.
  friend bool operator==(const buffer& a, const buffer& b) {
    return a.size_ == b.size_ &&
           (a.size_ == 0 || std::memcmp(a.data_.get(), b.data_.get(), a.size_) == 0);
  }

private:
  std::shared_ptr<const std::byte> data_;
  std::size_t size_ = 0;
};

/// Writable memory on its way to become buffers. Whoever holds it owns the bytes alone until slices
/// of it are given away.
class mutable_buffer {
public:
  mutable_buffer() = default;
  /// `size` bytes, not initialised.
  explicit mutable_buffer(std::size_t size);
  mutable_buffer(std::shared_ptr<std::byte> data, std::size_t size)
      : data_(std::move(data)), size_(size) {}

  [[nodiscard]] std::byte* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::span<std::byte> bytes() const { return {data_.get(), size_}; }
  /// True if slices or buffers of the same memory exist elsewhere.
  [[nodiscard]] bool is_shared() const { return data_.use_count() > 1; }

  /// The `count` bytes from `from` on, still writable. Precondition: within the buffer.
  [[nodiscard]] mutable_buffer slice(std::size_t from, std::size_t count) const {
    return {std::shared_ptr<std::byte>(data_, data_.get() + from), count};
  }
  /// From here on nobody writes to these bytes.
  [[nodiscard]] buffer freeze() const { return {data_, size_}; }

private:
  std::shared_ptr<std::byte> data_;
  std::size_t size_ = 0;
};

/// Bytes that lie in several buffers and count as one sequence.
class buffer_chain {
public:
  buffer_chain() = default;
  buffer_chain(buffer part) { append(std::move(part)); }

  void append(buffer part) {
    if (part.empty())
      return;
    size_ += part.size();
    parts_.push_back(std::move(part));
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] const std::vector<buffer>& parts() const { return parts_; }
  /// One buffer with all bytes; copies only if there is more than one part.
  [[nodiscard]] buffer flatten() const;

  friend bool operator==(const buffer_chain& a, const buffer_chain& b) {
    return a.size_ == b.size_ && a.flatten() == b.flatten();
  }

private:
  std::vector<buffer> parts_;
  std::size_t size_ = 0;
};

} // namespace aqueduct

#include "protocol/buffer.hpp"

namespace aqueduct {

mutable_buffer::mutable_buffer(std::size_t size) : size_(size) {
  auto memory = std::make_shared_for_overwrite<std::byte[]>(size);
  data_ = std::shared_ptr<std::byte>(memory, memory.get());
}

buffer buffer::copy_of(byte_span bytes) {
  mutable_buffer copy(bytes.size());
  if (!bytes.empty())
    std::memcpy(copy.data(), bytes.data(), bytes.size());
  return copy.freeze();
}

buffer buffer::copy_of(std::string_view text) {
  return copy_of(std::as_bytes(std::span(text.data(), text.size())));
}

buffer buffer::from(std::vector<std::byte> bytes) {
  auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  const auto size = owner->size();
  return {std::shared_ptr<const std::byte>(owner, owner->data()), size};
}

buffer buffer_chain::flatten() const {
  if (parts_.empty())
    return {};
  if (parts_.size() == 1)
    return parts_.front();
  mutable_buffer whole(size_);
  auto* at = whole.data();
  for (const auto& part : parts_) {
    std::memcpy(at, part.data(), part.size());
    at += part.size();
  }
  return whole.freeze();
}

} // namespace aqueduct

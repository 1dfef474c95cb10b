#include "actors/network/reply_order.hpp"

namespace aqueduct::actors::network {

reply_order::place reply_order::open() {
  const std::lock_guard lock(mutex_);
  slots_.emplace_back();
  return first_ + slots_.size() - 1;
}

void reply_order::fill(place where, buffer_chain bytes) {
  put(where, {std::move(bytes), false});
}

void reply_order::fill_with_end(place where) {
  put(where, {buffer_chain(), true});
}

void reply_order::put(place where, slot filled) {
  const auto client = client_.lock();
  // Held while the replies are queued: what another thread fills next leaves after them.
  const std::lock_guard lock(mutex_);
  if (client)
    client->expect_answer(filled.bytes->size());
  slots_[static_cast<std::size_t>(where - first_)] = std::move(filled);
  while (!slots_.empty() && slots_.front().bytes) {
    const auto next = std::move(slots_.front());
    slots_.pop_front();
    ++first_;
    if (!client)
      continue;
    const auto size = next.bytes->size();
    if (size > 0)
      client->reply(*next.bytes);
    client->answer_came(size);
    if (next.ends)
      client->finish();
  }
}

} // namespace aqueduct::actors::network

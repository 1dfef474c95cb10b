// A map per class of families, each with the batches that are not durable yet.
#include "storage/memory_kv.hpp"

#include "protocol/invariant.hpp"

#include <algorithm>

namespace aqueduct::storage {

namespace {

using map = std::map<std::string, std::string, std::less<>>;

std::string full_key(family in, std::string_view key) {
  std::string full(1, static_cast<char>(in));
  full += key;
  return full;
}

/// Where a range ends whose end is `to`.
std::string full_end(family in, std::string_view to) {
  return to.empty() ? end_of_prefix(full_key(in, {})) : full_key(in, to);
}

void apply(map& to, const write_batch& batch) {
  for (const auto& op : batch.operations()) {
    auto key = full_key(op.in, op.key);
    switch (op.what) {
    case write_batch::operation::kind::put:
      to.insert_or_assign(std::move(key), op.value);
      break;
    case write_batch::operation::kind::remove:
      to.erase(key);
      break;
    case write_batch::operation::kind::remove_range:
      if (const auto end = full_end(op.in, op.value); key < end)
        to.erase(to.lower_bound(key), to.lower_bound(end));
      break;
    }
  }
}

std::uint64_t mixed(std::uint64_t z) {
  z += 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

unexpected not_synced() {
  return unexpected(errc::storage_failed, "cannot sync the key-value store: input/output error");
}

} // namespace

void memory_kv::half::settle() {
  for (const auto& batch : pending)
    apply(durable, batch);
  pending.clear();
}

void memory_kv::half::fall_back(std::size_t kept) {
  pending.resize(std::min(kept, pending.size()));
  settle();
  visible = durable;
}

result<std::optional<std::string>> memory_kv::get(family in, std::string_view key) const {
  const std::lock_guard lock(mutex_);
  const auto& visible = half_of(in).visible;
  const auto found = visible.find(full_key(in, key));
  if (found == visible.end())
    return std::optional<std::string>();
  return std::optional<std::string>(found->second);
}

result<void> memory_kv::scan(family in, std::string_view from, std::string_view to,
                             const visitor& visit) const {
  const std::lock_guard lock(mutex_);
  const auto& visible = half_of(in).visible;
  const auto end = full_end(in, to);
  for (auto it = visible.lower_bound(full_key(in, from)); it != visible.end() && it->first < end;
       ++it)
    if (!visit(std::string_view(it->first).substr(1), it->second))
      break;
  return {};
}

result<std::optional<kv_pair>> memory_kv::last_in(family in, std::string_view from,
                                                  std::string_view at_most) const {
  const std::lock_guard lock(mutex_);
  const auto& visible = half_of(in).visible;
  auto it = visible.upper_bound(full_key(in, at_most));
  if (it == visible.begin())
    return std::optional<kv_pair>();
  --it;
  if (it->first < full_key(in, from))
    return std::optional<kv_pair>();
  return std::optional<kv_pair>(kv_pair{it->first.substr(1), it->second});
}

result<void> memory_kv::take_fault(bool sync) {
  if (writes_left_) {
    if (*writes_left_ <= 1) {
      writes_left_ = 0;
      return unexpected(errc::storage_failed, "cannot write the key-value store: it has no power");
    }
    --*writes_left_;
  }
  if (sync && failing_syncs_ > 0) {
    --failing_syncs_;
    return not_synced();
  }
  if (!sync && refused_one_in_ > 0 && mixed(refusal_chance_++) % refused_one_in_ == 0) {
    ++refused_;
    return unexpected(errc::storage_full, "cannot write the key-value store: no space is left");
  }
  return {};
}

result<void> memory_kv::write(const write_batch& batch, durability how) {
  if (batch.empty())
    return {};
  const std::lock_guard lock(mutex_);
  const bool logged = is_logged(batch.operations().front().in);
  for (const auto& op : batch.operations())
    AQUEDUCT_INVARIANT(is_logged(op.in) == logged, "a batch holds families of both classes");
  const bool synced = how == durability::synced;
  if (auto fault = take_fault(synced); !fault)
    return fault;
  ++writes_;
  auto& half = logged ? logged_ : unlogged_;
  apply(half.visible, batch);
  half.pending.push_back(batch);
  if (synced) {
    half.settle();
    ++syncs_;
  }
  return {};
}

result<void> memory_kv::flush() {
  const std::lock_guard lock(mutex_);
  if (logged_.pending.empty() && unlogged_.pending.empty())
    return {};
  if (auto fault = take_fault(true); !fault)
    return fault;
  logged_.settle();
  unlogged_.settle();
  ++syncs_;
  return {};
}

void memory_kv::crash() {
  const std::lock_guard lock(mutex_);
  logged_.fall_back(0);
  unlogged_.fall_back(0);
  writes_left_.reset();
  failing_syncs_ = 0;
}

void memory_kv::crash(std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  logged_.fall_back(mixed(seed) % (logged_.pending.size() + 1));
  unlogged_.fall_back(mixed(seed + 1) % (unlogged_.pending.size() + 1));
  writes_left_.reset();
  failing_syncs_ = 0;
}

void memory_kv::kill(std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  unlogged_.fall_back(mixed(seed) % (unlogged_.pending.size() + 1));
  writes_left_.reset();
  failing_syncs_ = 0;
}

void memory_kv::wipe() {
  const std::lock_guard lock(mutex_);
  logged_ = {};
  unlogged_ = {};
}

void memory_kv::crash_after(std::uint64_t writes) {
  const std::lock_guard lock(mutex_);
  writes_left_ = writes;
}

void memory_kv::fail_syncs(std::uint32_t times) {
  const std::lock_guard lock(mutex_);
  failing_syncs_ = times;
}

void memory_kv::refuse_writes(std::uint32_t one_in, std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  refused_one_in_ = one_in;
  refusal_chance_ = mixed(seed);
}

bool memory_kv::flip_bit(family in, std::string_view key, std::size_t bit) {
  const std::lock_guard lock(mutex_);
  auto& half = half_of(in);
  half.settle();
  const auto found = half.visible.find(full_key(in, key));
  if (found == half.visible.end() || found->second.empty())
    return false;
  auto& byte = found->second[(bit / 8) % found->second.size()];
  byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1u << (bit % 8)));
  half.durable = half.visible;
  return true;
}

std::uint64_t memory_kv::sync_count() const {
  const std::lock_guard lock(mutex_);
  return syncs_;
}

std::uint64_t memory_kv::write_count() const {
  const std::lock_guard lock(mutex_);
  return writes_;
}

std::uint64_t memory_kv::refused_count() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

std::uint64_t memory_kv::fingerprint() const {
  const std::lock_guard lock(mutex_);
  // FNV-1a, 64 bits.
  std::uint64_t hash = 0xcbf29ce484222325ull;
  const auto mix = [&hash](std::string_view text) {
    for (const char c : text)
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
    hash = (hash ^ text.size()) * 0x100000001b3ull;
  };
  for (const auto* half : {&logged_, &unlogged_})
    for (const auto& [key, value] : half->visible) {
      mix(key);
      mix(value);
    }
  return hash;
}

} // namespace aqueduct::storage

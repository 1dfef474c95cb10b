// The key-value store of a simulated machine that loses power as a whole: writes to it count as
// changes of the machine's disk, so a crash can strike between any two of either.
#pragma once

#include "storage/memory_kv.hpp"
#include "storage/sim_disk.hpp"

namespace aqueduct::storage::test {

class powered_kv final : public kv {
public:
  powered_kv(sim_disk& power, memory_kv& store) : power_(power), store_(store) {}

  [[nodiscard]] result<std::optional<std::string>> get(family in,
                                                       std::string_view key) const override {
    return store_.get(in, key);
  }
  result<void> scan(family in, std::string_view from, std::string_view to,
                    const visitor& visit) const override {
    return store_.scan(in, from, to, visit);
  }
  [[nodiscard]] result<std::optional<kv_pair>> last_in(family in, std::string_view from,
                                                       std::string_view at_most) const override {
    return store_.last_in(in, from, at_most);
  }
  result<void> write(const write_batch& batch, durability how) override {
    if (batch.empty())
      return {};
    const bool had_power = !power_.is_powerless();
    if (auto counted = power_.sync_directory("/"); !counted) {
      // The power fails in the middle of the write: it may have arrived.
      if (had_power)
        (void)store_.write(batch, durability::relaxed);
      return counted;
    }
    return store_.write(batch, how);
  }
  result<void> flush() override {
    if (auto counted = power_.sync_directory("/"); !counted)
      return counted;
    return store_.flush();
  }

private:
  sim_disk& power_;
  memory_kv& store_;
};

} // namespace aqueduct::storage::test

// The crash model of the simulated disk; sim_disk.hpp says what it is.
#include "storage/sim_disk.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <set>
#include <vector>

namespace aqueduct::storage {

namespace {

/// SplitMix64 (Steele, Lea, Flood 2014): the standard library's distributions differ between
/// implementations, and a seed has to mean the same everywhere.
class generator {
public:
  explicit generator(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  /// 0 to `bound` - 1; 0 if `bound` is 0.
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }

private:
  std::uint64_t state_;
};

using byte_vector = std::vector<std::byte>;

struct data_op {
  enum class kind : std::uint8_t { write, truncate, allocate };
  kind what;
  /// write: where; else the size of the file after it.
  std::uint64_t at = 0;
  byte_vector bytes;
};

void replay(byte_vector& to, const data_op& op) {
  switch (op.what) {
  case data_op::kind::write:
    if (to.size() < op.at + op.bytes.size())
      to.resize(op.at + op.bytes.size());
    std::copy(op.bytes.begin(), op.bytes.end(), to.begin() + static_cast<std::ptrdiff_t>(op.at));
    break;
  case data_op::kind::truncate:
    to.resize(op.at);
    break;
  case data_op::kind::allocate:
    to.resize(std::max<std::size_t>(to.size(), op.at));
    break;
  }
}

struct inode {
  byte_vector visible;
  byte_vector durable;
  std::vector<data_op> pending;
};

using inode_ptr = std::shared_ptr<inode>;

/// A change of names in one folder. `add` stands for creation and for the second half of a rename.
struct name_op {
  /// Invariant: at least one of the two is set.
  std::string removed;
  std::string added;
  /// Of `added`; nothing for a folder.
  inode_ptr node;
  /// In the order in which names were changed, over all folders.
  std::uint64_t number = 0;
  /// `removed` was a folder.
  bool removes_folder = false;
  /// The folder in which the name was is gone for good.
  bool is_void = false;
};

/// What is on a moment's disk: paths to files, and folders, which have no inode.
using name_map = std::map<std::string, inode_ptr>;

void replay(name_map& to, const name_op& op) {
  if (!op.removed.empty())
    to.erase(op.removed);
  if (!op.added.empty())
    to[op.added] = op.node;
}

/// What a crash leaves of one write that it tore. Returns how many bytes.
std::uint64_t tear(byte_vector& to, const data_op& op, std::uint32_t unit, generator& random) {
  constexpr std::array<std::uint32_t, 3> units{1, 512, 4096};
  if (unit == 0)
    unit = units[random.below(units.size())];
  const bool prefix_only = unit == 1 || random.below(2) == 0;
  const std::uint64_t size = op.bytes.size();
  const std::uint64_t cut = random.below(size + 1);
  std::uint64_t left = 0;
  for (std::uint64_t from = 0; from < size;) {
    // Units are those of the disk, so they are aligned in the file and not in the write.
    const std::uint64_t to_next = unit - (op.at + from) % unit;
    const std::uint64_t count = std::min<std::uint64_t>(to_next, size - from);
    const bool kept = prefix_only ? from + count <= cut : random.below(2) == 0;
    if (kept) {
      const auto begin = op.bytes.begin() + static_cast<std::ptrdiff_t>(from);
      replay(to, {data_op::kind::write, op.at + from,
                  byte_vector(begin, begin + static_cast<std::ptrdiff_t>(count))});
      left += count;
    }
    from += count;
  }
  return left;
}

enum class fate : std::uint8_t { kept, dropped, torn };

fate draw(const crash_policy& policy, generator& random) {
  const auto roll = random.below(1000);
  if (roll < policy.keep_per_mille)
    return fate::kept;
  return roll < policy.keep_per_mille + policy.tear_per_mille ? fate::torn : fate::dropped;
}

void crash_inode(inode& node, const crash_policy& policy, generator& random, disk_faults& faults) {
  bool is_missing = false;
  for (const auto& op : node.pending) {
    const auto what = draw(policy, random);
    const bool is_write = op.what == data_op::kind::write;
    std::uint64_t left = 0;
    if (what == fate::kept) {
      replay(node.durable, op);
      left = op.bytes.size();
    } else if (what == fate::torn && is_write) {
      left = tear(node.durable, op, policy.tear_unit, random);
      faults.torn_writes += left > 0 && left < op.bytes.size() ? 1 : 0;
    }
    if (is_write) {
      faults.holes += is_missing && left > 0 ? 1 : 0;
      is_missing = is_missing || left == 0;
    }
  }
  node.pending.clear();
  node.visible = node.durable;
}

unexpected missing(const std::string& path) {
  return unexpected(errc::not_found, "cannot open " + path + ": no such file");
}

} // namespace

crash_policy crash_policy::random(std::uint64_t seed) {
  generator random(seed ^ 0xc0ffee);
  crash_policy policy;
  policy.seed = seed;
  policy.keep_per_mille = static_cast<std::uint32_t>(random.below(1001));
  policy.tear_per_mille = static_cast<std::uint32_t>(random.below(1001 - policy.keep_per_mille));
  constexpr std::array<std::uint32_t, 4> units{0, 1, 512, 4096};
  policy.tear_unit = units[random.below(units.size())];
  return policy;
}

struct sim_disk::state {
  struct bad_range {
    std::string path;
    std::uint64_t from;
    std::uint64_t size;
  };

  mutable std::mutex mutex;
  std::uint64_t capacity = 0;
  /// Number of crashes: handles of an earlier life are dead.
  std::uint64_t life = 0;
  name_map visible;
  name_map durable;
  /// Per folder, in order.
  std::map<std::string, std::vector<name_op>> pending;
  std::uint64_t name_changes = 0;
  std::set<std::string> locked;
  std::optional<std::uint64_t> changes_left;
  bool powerless = false;
  std::string failing_sync_part;
  std::uint32_t failing_syncs = 0;
  std::string failing_removal_part;
  std::uint32_t failing_removals = 0;
  std::string failing_write_part;
  std::optional<std::uint64_t> failing_write_after;
  std::vector<bad_range> bad_ranges;
  disk_counts counted;
  disk_faults faults;
  /// Sum of the visible sizes; a removed file that is still open and grows may count too much.
  mutable std::optional<std::uint64_t> used_known;

  [[nodiscard]] unexpected no_power(const std::string& path) const {
    return unexpected(errc::storage_failed, "cannot use " + path + ": the disk has no power");
  }

  /// Counts a change. False when it must fail; `has_effect` tells whether it still happens.
  bool count_change(bool& has_effect) {
    has_effect = false;
    if (powerless)
      return false;
    ++counted.changes;
    has_effect = true;
    if (!changes_left)
      return true;
    if (*changes_left > 1) {
      --*changes_left;
      return true;
    }
    powerless = true;
    return false;
  }

  /// A fault is due for this removal.
  [[nodiscard]] bool fails_to_remove(const std::string& path) {
    if (failing_removals == 0 || path.find(failing_removal_part) == std::string::npos)
      return false;
    --failing_removals;
    return true;
  }

  void change_names(const std::string& folder, name_op op) {
    used_known.reset();
    op.number = ++name_changes;
    op.removes_folder = op.added.empty() && is_folder(op.removed);
    replay(visible, op);
    pending[folder].push_back(std::move(op));
  }

  [[nodiscard]] bool is_folder(const std::string& path) const {
    if (path == "." || path == "/")
      return true;
    const auto found = visible.find(path);
    return found != visible.end() && found->second == nullptr;
  }

  [[nodiscard]] std::uint64_t used() const {
    if (!used_known) {
      used_known = 0;
      for (const auto& [path, node] : visible)
        if (node != nullptr)
          *used_known += node->visible.size();
    }
    return *used_known;
  }

  /// Bytes that the file may still grow by.
  [[nodiscard]] std::uint64_t room() const {
    const auto taken = used();
    return taken >= capacity ? 0 : capacity - taken;
  }

  void change_data(inode& node, data_op op) {
    const auto before = node.visible.size();
    replay(node.visible, op);
    if (used_known)
      *used_known += node.visible.size() - before;
    node.pending.push_back(std::move(op));
  }

  void settle(const std::string& folder) {
    const auto found = pending.find(folder);
    if (found == pending.end())
      return;
    for (const auto& op : found->second)
      make_durable(op);
    pending.erase(found);
  }

  void make_durable(const name_op& op) {
    if (op.is_void)
      return;
    replay(durable, op);
    if (op.removes_folder)
      forget_below(op);
  }

  /// Names belong to the folder that they were in: in another one of the same name, made later,
  /// they do not come back, whatever a crash takes back.
  void forget_below(const name_op& removal) {
    const auto below = removal.removed + "/";
    for (auto it = durable.lower_bound(below);
         it != durable.end() && it->first.starts_with(below);) {
      const auto now = visible.find(it->first);
      const bool is_new = now != visible.end() && now->second == it->second;
      it = is_new ? std::next(it) : durable.erase(it);
    }
    for (auto& [folder, ops] : pending)
      if (folder == removal.removed || folder.starts_with(below))
        for (auto& op : ops)
          op.is_void = op.is_void || op.number < removal.number;
  }

  /// A name is only there if the folders above it are.
  void drop_orphans() {
    for (auto it = durable.begin(); it != durable.end();) {
      const auto parent = parent_path(it->first);
      const bool is_root = parent == "." || parent == "/";
      const auto above = durable.find(parent);
      if (is_root || (above != durable.end() && above->second == nullptr))
        ++it;
      else
        it = durable.erase(it);
    }
  }

  void disarm() {
    changes_left.reset();
    powerless = false;
    failing_syncs = 0;
    failing_removals = 0;
    failing_write_after.reset();
    locked.clear();
    used_known.reset();
    ++life;
  }
};

class sim_disk::handle final : public file {
public:
  handle(std::shared_ptr<state> disk, inode_ptr node, std::string path, bool writable)
      : disk_(std::move(disk)),
        node_(std::move(node)),
        path_(std::move(path)),
        life_(disk_->life),
        writable_(writable) {}

  result<void> write_at(std::uint64_t position, std::span<const byte_span> parts) override {
    const std::lock_guard lock(disk_->mutex);
    if (auto usable = check_writable(); !usable)
      return usable;
    byte_vector bytes;
    for (const auto& part : parts)
      bytes.insert(bytes.end(), part.begin(), part.end());
    bool has_effect = false;
    const bool powered = disk_->count_change(has_effect);
    ++disk_->counted.writes;
    if (!has_effect)
      return disk_->no_power(path_);
    const auto whole = bytes.size();
    std::optional<unexpected> fault = take_write_fault(bytes);
    const std::uint64_t end = position + bytes.size();
    const std::uint64_t size = node_->visible.size();
    if (end > size && end - size > disk_->room()) {
      // What fits is written, as a file system does.
      const std::uint64_t fitting = size + disk_->room();
      bytes.resize(fitting > position ? fitting - position : 0);
      fault = unexpected(errc::storage_full, "cannot write " + path_ + ": no space left");
      ++disk_->faults.full;
    }
    disk_->faults.short_writes += !bytes.empty() && bytes.size() < whole ? 1 : 0;
    if (!bytes.empty())
      disk_->change_data(*node_, {data_op::kind::write, position, std::move(bytes)});
    if (!powered)
      return disk_->no_power(path_);
    return fault ? result<void>(*fault) : result<void>();
  }

  [[nodiscard]] result<std::size_t> read_at(std::uint64_t position,
                                            std::span<std::byte> into) const override {
    const std::lock_guard lock(disk_->mutex);
    if (disk_->powerless || life_ != disk_->life)
      return disk_->no_power(path_);
    ++disk_->counted.reads;
    for (const auto& bad : disk_->bad_ranges)
      if (bad.path == path_ && position < bad.from + bad.size && bad.from < position + into.size())
        return unexpected(errc::storage_failed, "cannot read " + path_ + ": input/output error");
    const auto& bytes = node_->visible;
    if (position >= bytes.size())
      return std::size_t{0};
    const auto count = std::min<std::uint64_t>(into.size(), bytes.size() - position);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(position), count, into.begin());
    return static_cast<std::size_t>(count);
  }

  result<void> sync() override {
    const std::lock_guard lock(disk_->mutex);
    if (life_ != disk_->life)
      return disk_->no_power(path_);
    bool has_effect = false;
    const bool powered = disk_->count_change(has_effect);
    ++disk_->counted.syncs;
    if (!powered)
      return disk_->no_power(path_);
    if (disk_->failing_syncs > 0 && path_.find(disk_->failing_sync_part) != std::string::npos) {
      --disk_->failing_syncs;
      ++disk_->faults.failed_syncs;
      // The dirty pages are marked clean; sizes live in the journal, which goes on.
      std::erase_if(node_->pending,
                    [](const data_op& op) { return op.what == data_op::kind::write; });
      return unexpected(errc::storage_failed, "cannot sync " + path_ + ": input/output error");
    }
    for (const auto& op : node_->pending)
      replay(node_->durable, op);
    node_->pending.clear();
    return {};
  }

  result<void> allocate(std::uint64_t from, std::uint64_t size) override {
    const std::lock_guard lock(disk_->mutex);
    if (auto usable = check_writable(); !usable)
      return usable;
    bool has_effect = false;
    const bool powered = disk_->count_change(has_effect);
    ++disk_->counted.allocates;
    if (!has_effect)
      return disk_->no_power(path_);
    const auto end = from + size;
    const auto present = node_->visible.size();
    if (end > present && end - present > disk_->room()) {
      ++disk_->faults.full;
      return unexpected(errc::storage_full, "cannot reserve space in " + path_ + ": no space left");
    }
    disk_->change_data(*node_, {data_op::kind::allocate, end, {}});
    return powered ? result<void>() : result<void>(disk_->no_power(path_));
  }

  result<void> truncate(std::uint64_t size) override {
    const std::lock_guard lock(disk_->mutex);
    if (auto usable = check_writable(); !usable)
      return usable;
    bool has_effect = false;
    const bool powered = disk_->count_change(has_effect);
    ++disk_->counted.truncates;
    if (!has_effect)
      return disk_->no_power(path_);
    disk_->change_data(*node_, {data_op::kind::truncate, size, {}});
    return powered ? result<void>() : result<void>(disk_->no_power(path_));
  }

  [[nodiscard]] result<std::uint64_t> size() const override {
    const std::lock_guard lock(disk_->mutex);
    if (disk_->powerless || life_ != disk_->life)
      return disk_->no_power(path_);
    return static_cast<std::uint64_t>(node_->visible.size());
  }

  [[nodiscard]] const std::string& path() const override { return path_; }

private:
  [[nodiscard]] result<void> check_writable() const {
    if (life_ != disk_->life)
      return disk_->no_power(path_);
    if (!writable_)
      return unexpected(errc::storage_failed, "cannot write " + path_ + ": opened for reading");
    return {};
  }

  /// Shortens `bytes` to what is written before an injected error.
  [[nodiscard]] std::optional<unexpected> take_write_fault(byte_vector& bytes) const {
    auto& left = disk_->failing_write_after;
    if (!left || path_.find(disk_->failing_write_part) == std::string::npos)
      return std::nullopt;
    if (*left >= bytes.size()) {
      *left -= bytes.size();
      return std::nullopt;
    }
    bytes.resize(*left);
    left.reset();
    return unexpected(errc::storage_failed, "cannot write " + path_ + ": input/output error");
  }

  std::shared_ptr<state> disk_;
  inode_ptr node_;
  std::string path_;
  std::uint64_t life_;
  bool writable_;
};

class sim_disk::lock final : public file_lock {
public:
  lock(std::shared_ptr<state> disk, std::string path)
      : disk_(std::move(disk)), path_(std::move(path)), life_(disk_->life) {}
  ~lock() override {
    const std::lock_guard guard(disk_->mutex);
    if (life_ == disk_->life)
      disk_->locked.erase(path_);
  }

private:
  std::shared_ptr<state> disk_;
  std::string path_;
  std::uint64_t life_;
};

sim_disk::sim_disk(std::uint64_t capacity_bytes) : state_(std::make_shared<state>()) {
  state_->capacity = capacity_bytes;
}

sim_disk::~sim_disk() = default;

// -- the disk -------------------------------------------------------------------------------------

result<std::shared_ptr<file>> sim_disk::open(const std::string& path, open_mode mode) {
  const std::lock_guard guard(state_->mutex);
  if (state_->powerless)
    return state_->no_power(path);
  ++state_->counted.opens;
  const auto found = state_->visible.find(path);
  const bool is_there = found != state_->visible.end() && found->second != nullptr;
  if (is_there) {
    if (mode == open_mode::create_new)
      return unexpected(errc::conflict, "cannot make " + path + ": it exists");
    return std::shared_ptr<file>(
        std::make_shared<handle>(state_, found->second, path, mode != open_mode::read));
  }
  const auto folder = parent_path(path);
  if (mode == open_mode::read || mode == open_mode::write || !state_->is_folder(folder))
    return missing(path);
  bool has_effect = false;
  const bool powered = state_->count_change(has_effect);
  auto node = std::make_shared<inode>();
  if (has_effect)
    state_->change_names(folder, {{}, path, node});
  if (!powered)
    return state_->no_power(path);
  return std::shared_ptr<file>(std::make_shared<handle>(state_, std::move(node), path, true));
}

result<void> sim_disk::make_directories(const std::string& path) {
  const std::lock_guard guard(state_->mutex);
  if (state_->powerless)
    return state_->no_power(path);
  std::vector<std::string> missing_folders;
  for (std::string at = path; !state_->is_folder(at); at = parent_path(at))
    missing_folders.push_back(at);
  for (auto it = missing_folders.rbegin(); it != missing_folders.rend(); ++it) {
    bool has_effect = false;
    const bool powered = state_->count_change(has_effect);
    state_->change_names(parent_path(*it), {{}, *it, nullptr});
    if (!powered)
      return state_->no_power(path);
    state_->settle(parent_path(*it));
  }
  return {};
}

result<void> sim_disk::sync_directory(const std::string& path) {
  const std::lock_guard guard(state_->mutex);
  bool has_effect = false;
  const bool powered = state_->count_change(has_effect);
  ++state_->counted.directory_syncs;
  if (!powered)
    return state_->no_power(path);
  if (!state_->is_folder(path))
    return missing(path);
  state_->settle(path);
  return {};
}

result<void> sim_disk::rename(const std::string& from, const std::string& to) {
  const std::lock_guard guard(state_->mutex);
  const auto found = state_->visible.find(from);
  if (!state_->powerless && found == state_->visible.end())
    return missing(from);
  bool has_effect = false;
  const bool powered = state_->count_change(has_effect);
  if (has_effect)
    state_->change_names(parent_path(to), {from, to, found->second});
  return powered ? result<void>() : result<void>(state_->no_power(from));
}

result<void> sim_disk::remove(const std::string& path) {
  const std::lock_guard guard(state_->mutex);
  const auto found = state_->visible.find(path);
  if (!state_->powerless && (found == state_->visible.end() || found->second == nullptr))
    return missing(path);
  if (state_->fails_to_remove(path))
    return unexpected(errc::storage_failed, "cannot remove " + path + ": input/output error");
  bool has_effect = false;
  const bool powered = state_->count_change(has_effect);
  if (has_effect)
    state_->change_names(parent_path(path), {path, {}, nullptr});
  return powered ? result<void>() : result<void>(state_->no_power(path));
}

result<void> sim_disk::remove_tree(const std::string& path) {
  const std::lock_guard guard(state_->mutex);
  if (state_->powerless)
    return state_->no_power(path);
  if (state_->fails_to_remove(path))
    return unexpected(errc::storage_failed, "cannot remove " + path + ": input/output error");
  const std::string below = path + "/";
  std::vector<std::string> names;
  for (auto it = state_->visible.lower_bound(below);
       it != state_->visible.end() && it->first.starts_with(below); ++it)
    names.push_back(it->first);
  std::reverse(names.begin(), names.end());
  if (state_->visible.contains(path))
    names.push_back(path);
  for (const auto& name : names) {
    bool has_effect = false;
    const bool powered = state_->count_change(has_effect);
    if (has_effect)
      state_->change_names(parent_path(name), {name, {}, nullptr});
    if (!powered)
      return state_->no_power(path);
  }
  return {};
}

result<std::vector<std::string>> sim_disk::list(const std::string& path) {
  const std::lock_guard guard(state_->mutex);
  if (state_->powerless)
    return state_->no_power(path);
  if (!state_->is_folder(path))
    return missing(path);
  const std::string below = path == "." ? std::string() : path == "/" ? path : path + "/";
  std::vector<std::string> names;
  for (auto it = state_->visible.lower_bound(below);
       it != state_->visible.end() && it->first.starts_with(below); ++it)
    if (const auto name = it->first.substr(below.size());
        !name.empty() && name.find('/') == std::string::npos)
      names.push_back(name);
  return names;
}

result<bool> sim_disk::exists(const std::string& path) {
  const std::lock_guard guard(state_->mutex);
  if (state_->powerless)
    return state_->no_power(path);
  return state_->visible.contains(path);
}

result<std::unique_ptr<file_lock>> sim_disk::lock_file(const std::string& path) {
  if (auto opened = open(path, open_mode::create); !opened)
    return opened.propagate();
  const std::lock_guard guard(state_->mutex);
  if (!state_->locked.insert(path).second)
    return unexpected(errc::conflict, path + " is locked by another process");
  return std::unique_ptr<file_lock>(std::make_unique<lock>(state_, path));
}

result<disk_space> sim_disk::space(const std::string& path) {
  const std::lock_guard guard(state_->mutex);
  if (state_->powerless)
    return state_->no_power(path);
  return disk_space{state_->room(), state_->capacity};
}

// -- crashes --------------------------------------------------------------------------------------

void sim_disk::crash(const crash_policy& policy) {
  const std::lock_guard guard(state_->mutex);
  generator random(policy.seed);
  for (const auto& [folder, ops] : state_->pending)
    for (const auto& op : ops)
      if (draw(policy, random) == fate::kept)
        state_->make_durable(op);
      else
        ++state_->faults.lost_names;
  state_->pending.clear();
  state_->drop_orphans();
  for (const auto& [path, node] : state_->durable)
    if (node != nullptr)
      crash_inode(*node, policy, random, state_->faults);
  state_->visible = state_->durable;
  state_->disarm();
}

void sim_disk::crash_after(std::uint64_t changes) {
  const std::lock_guard guard(state_->mutex);
  state_->changes_left = changes;
  state_->powerless = changes == 0;
}

bool sim_disk::is_powerless() const {
  const std::lock_guard guard(state_->mutex);
  return state_->powerless;
}

void sim_disk::wipe() {
  const std::lock_guard guard(state_->mutex);
  state_->visible.clear();
  state_->durable.clear();
  state_->pending.clear();
  state_->bad_ranges.clear();
  state_->disarm();
}

// -- faults ---------------------------------------------------------------------------------------

void sim_disk::fail_syncs(const std::string& part, std::uint32_t times) {
  const std::lock_guard guard(state_->mutex);
  state_->failing_sync_part = part;
  state_->failing_syncs = times;
}

void sim_disk::fail_removals(const std::string& part, std::uint32_t times) {
  const std::lock_guard guard(state_->mutex);
  state_->failing_removal_part = part;
  state_->failing_removals = times;
}

void sim_disk::fail_write(const std::string& part, std::uint64_t bytes) {
  const std::lock_guard guard(state_->mutex);
  state_->failing_write_part = part;
  state_->failing_write_after = bytes;
}

void sim_disk::fail_reads(const std::string& path, std::uint64_t from, std::uint64_t size) {
  const std::lock_guard guard(state_->mutex);
  state_->bad_ranges.push_back({path, from, size});
}

void sim_disk::heal_reads() {
  const std::lock_guard guard(state_->mutex);
  state_->bad_ranges.clear();
}

void sim_disk::set_capacity(std::uint64_t bytes) {
  const std::lock_guard guard(state_->mutex);
  state_->capacity = bytes;
}

// -- what is on it --------------------------------------------------------------------------------

bool sim_disk::flip_bit(const std::string& path, std::uint64_t at, unsigned bit) {
  const std::lock_guard guard(state_->mutex);
  const auto found = state_->visible.find(path);
  if (found == state_->visible.end() || found->second == nullptr)
    return false;
  bool flipped = false;
  for (auto* bytes : {&found->second->visible, &found->second->durable})
    if (at < bytes->size()) {
      (*bytes)[at] ^= static_cast<std::byte>(1u << (bit % 8));
      flipped = true;
    }
  return flipped;
}

void sim_disk::put(const std::string& path, byte_span bytes) {
  (void)make_directories(parent_path(path));
  const std::lock_guard guard(state_->mutex);
  auto node = std::make_shared<inode>();
  node->visible.assign(bytes.begin(), bytes.end());
  node->durable = node->visible;
  state_->change_names(parent_path(path), {{}, path, std::move(node)});
  state_->settle(parent_path(path));
}

std::optional<std::vector<std::byte>> sim_disk::contents(const std::string& path) const {
  const std::lock_guard guard(state_->mutex);
  const auto found = state_->visible.find(path);
  if (found == state_->visible.end() || found->second == nullptr)
    return std::nullopt;
  return found->second->visible;
}

std::vector<std::string> sim_disk::files() const {
  const std::lock_guard guard(state_->mutex);
  std::vector<std::string> paths;
  for (const auto& [path, node] : state_->visible)
    if (node != nullptr)
      paths.push_back(path);
  return paths;
}

std::uint64_t sim_disk::used_bytes() const {
  const std::lock_guard guard(state_->mutex);
  return state_->used();
}

disk_counts sim_disk::counts() const {
  const std::lock_guard guard(state_->mutex);
  return state_->counted;
}

disk_faults sim_disk::faults() const {
  const std::lock_guard guard(state_->mutex);
  return state_->faults;
}

std::uint64_t sim_disk::fingerprint() const {
  const std::lock_guard guard(state_->mutex);
  // FNV-1a, 64 bits.
  std::uint64_t hash = 0xcbf29ce484222325ull;
  const auto mix = [&hash](const auto& bytes) {
    for (const auto byte : bytes)
      hash = (hash ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3ull;
    hash = (hash ^ bytes.size()) * 0x100000001b3ull;
  };
  for (const auto& [path, node] : state_->visible) {
    mix(path);
    if (node != nullptr)
      mix(node->visible);
  }
  return hash;
}

} // namespace aqueduct::storage

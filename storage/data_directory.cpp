// node.meta: a line that names the format, then a checksummed record. Replaced as a whole: written
// beside, synced, renamed, folder synced.
#include "storage/data_directory.hpp"

#include "protocol/bytes.hpp"
#include "protocol/crc32c.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace aqueduct::storage {

namespace {

constexpr std::string_view magic = "aqueduct-node-meta\n";
constexpr std::size_t meta_bytes_max = 4096;

std::vector<std::byte> encode(const node_identity& identity) {
  std::vector<std::byte> bytes;
  byte_writer out(bytes);
  out.write_bytes(magic);
  out.write(data_format_version);
  out.write_bytes(std::as_bytes(std::span(identity.cluster.bytes)));
  out.write(identity.node.value);
  out.write(identity.incarnation);
  out.write(identity.created.value);
  out.write(protocol::crc32c(bytes));
  return bytes;
}

result<node_identity> decode(const std::string& path, byte_span bytes) {
  const auto damaged = [&] {
    return unexpected(errc::storage_damaged,
                      path + " is damaged: restore it, or start with an empty data directory");
  };
  if (bytes.size() < magic.size() + 4 ||
      !std::equal(magic.begin(), magic.end(), reinterpret_cast<const char*>(bytes.data())))
    return damaged();
  byte_reader in(bytes.subspan(magic.size()));
  // Before the checksum: a newer format may have it elsewhere.
  if (const auto version = in.read<std::uint32_t>(); version != data_format_version)
    return unexpected(errc::unsupported_version,
                      path + " has format version " + std::to_string(version) +
                          ", this program knows version " + std::to_string(data_format_version) +
                          ": use the Aqueduct that wrote it");
  node_identity identity;
  const auto cluster = in.read_bytes(identity.cluster.bytes.size());
  std::copy_n(reinterpret_cast<const std::uint8_t*>(cluster.data()), cluster.size(),
              identity.cluster.bytes.begin());
  identity.node = node_id(in.read<std::int32_t>());
  identity.incarnation = in.read<std::uint64_t>();
  identity.created = timestamp_ms(in.read<std::int64_t>());
  const auto covered = bytes.size() - in.remaining();
  const auto crc = in.read<std::uint32_t>();
  if (in.failed() || in.remaining() > 0 || crc != protocol::crc32c(bytes.first(covered)))
    return damaged();
  return identity;
}

result<node_identity> read_meta(disk& files, const std::string& path) {
  const auto opened = files.open(path, open_mode::read);
  if (!opened)
    return opened.propagate();
  std::vector<std::byte> bytes(meta_bytes_max);
  const auto count = (*opened)->read_at(0, bytes);
  if (!count)
    return count.propagate();
  return decode(path, byte_span(bytes).first(*count));
}

} // namespace

data_directory::data_directory(disk& files, std::string path, std::unique_ptr<file_lock> lock)
    : files_(&files), path_(std::move(path)), lock_(std::move(lock)) {}

result<data_directory> data_directory::claim(disk& files, const claim_request& request) {
  if (auto made = files.make_directories(request.path); !made) {
    auto why = made.error();
    // Nothing to find here: the file system has no place for the folder.
    if (why.code == errc::not_found)
      why.code = errc::storage_failed;
    return unexpected(why.code,
                      "the data directory " + request.path + " cannot be made: " + why.message);
  }
  auto lock = files.lock_file(request.path + "/lock");
  if (!lock && lock.error().code == errc::conflict)
    return unexpected(errc::conflict,
                      "the data directory " + request.path +
                          " is used by another running node: " + lock.error().message);
  if (!lock)
    return lock.propagate();
  data_directory claimed(files, request.path, std::move(*lock));

  const auto meta_path = request.path + "/node.meta";
  auto identity = read_meta(files, meta_path);
  if (!identity && identity.error().code != errc::not_found)
    return identity.propagate();
  if (!identity) {
    const auto has_data = files.exists(request.path + "/groups");
    if (!has_data)
      return has_data.propagate();
    if (*has_data)
      return unexpected(errc::storage_damaged,
                        meta_path + " is missing, but there is data beside it: restore it, or "
                                    "start with an empty data directory");
    node_identity fresh;
    fresh.cluster = request.cluster.value_or(uuid{});
    fresh.node = request.node;
    fresh.incarnation = request.incarnation;
    fresh.created = request.now;
    if (auto written = claimed.change_identity(fresh); !written)
      return written.propagate();
    claimed.is_new_ = true;
    return claimed;
  }
  if (identity->node != request.node)
    return unexpected(errc::conflict, "the data directory " + request.path + " belongs to node " +
                                          std::to_string(identity->node.value) + ", this is node " +
                                          std::to_string(request.node.value));
  if (request.cluster && !identity->cluster.is_nil() && identity->cluster != *request.cluster)
    return unexpected(errc::conflict, "the data directory " + request.path +
                                          " belongs to cluster " + to_string(identity->cluster) +
                                          ", this is cluster " + to_string(*request.cluster));
  claimed.identity_ = *identity;
  return claimed;
}

result<void> data_directory::change_identity(const node_identity& identity) {
  const auto meta_path = path_ + "/node.meta";
  const auto beside = meta_path + ".new";
  const auto bytes = encode(identity);
  const auto target = files_->open(beside, open_mode::create);
  if (!target)
    return target.propagate();
  if (auto emptied = (*target)->truncate(0); !emptied)
    return emptied;
  if (auto written = (*target)->write_at(0, byte_span(bytes)); !written)
    return written;
  if (auto synced = (*target)->sync(); !synced)
    return synced;
  if (auto renamed = files_->rename(beside, meta_path); !renamed)
    return renamed;
  if (auto synced = files_->sync_directory(path_); !synced)
    return synced;
  identity_ = identity;
  return {};
}

} // namespace aqueduct::storage

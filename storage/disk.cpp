// What all disks share.
#include "storage/disk.hpp"

namespace aqueduct::storage {

std::string parent_path(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos)
    return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

} // namespace aqueduct::storage

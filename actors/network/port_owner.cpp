// /proc/net/tcp and tcp6 (see proc(5)) give the inode of the socket, /proc/PID/fd the process that
// has it open.
#include "actors/network/port_owner.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace aqueduct::actors::network {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view state_listen = "0A";

/// An address as the kernel writes it: words of four bytes, each as a number of this machine.
std::string kernel_spelling(const asio::ip::address& address) {
  const auto spell = [](const auto& bytes) {
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); at += 4) {
      std::uint32_t word = 0;
      std::memcpy(&word, bytes.data() + at, 4);
      char digits[9];
      std::snprintf(digits, sizeof digits, "%08X", word);
      text += digits;
    }
    return text;
  };
  return address.is_v4() ? spell(address.to_v4().to_bytes()) : spell(address.to_v6().to_bytes());
}

/// The links that a descriptor of a socket that listens on `wanted` points to.
std::set<std::string> listening_sockets(const char* table, const tcp::endpoint& wanted) {
  const auto address = kernel_spelling(wanted.address());
  std::set<std::string> links;
  std::ifstream file(table);
  std::string line;
  std::getline(file, line); // the titles
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string number, local, remote, state, queues, timer, retransmits, user, timeout, inode;
    words >> number >> local >> remote >> state >> queues >> timer >> retransmits >> user >>
        timeout >> inode;
    const auto colon = local.find(':');
    if (colon == std::string::npos || state != state_listen ||
        std::stoul(local.substr(colon + 1), nullptr, 16) != wanted.port())
      continue;
    const auto bound = local.substr(0, colon);
    const bool is_wildcard = bound.find_first_not_of('0') == std::string::npos;
    if (is_wildcard || wanted.address().is_unspecified() || bound == address)
      links.insert("socket:[" + inode + "]");
  }
  return links;
}

bool has_open(const fs::path& process, const std::set<std::string>& links) {
  std::error_code failed; // the process of somebody else, or gone
  for (fs::directory_iterator at(process / "fd", failed), end; !failed && at != end;
       at.increment(failed)) {
    std::error_code unreadable;
    if (links.contains(fs::read_symlink(at->path(), unreadable).string()))
      return true;
  }
  return false;
}

} // namespace

std::string port_owner(const tcp::endpoint& address) {
  auto links = listening_sockets("/proc/net/tcp", address);
  links.merge(listening_sockets("/proc/net/tcp6", address));
  if (links.empty())
    return {};
  std::error_code failed;
  for (fs::directory_iterator at("/proc", failed), end; !failed && at != end;
       at.increment(failed)) {
    const auto pid = at->path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos || !has_open(at->path(), links))
      continue;
    std::string name;
    std::getline(std::ifstream(at->path() / "comm"), name);
    return "process " + pid + (name.empty() ? "" : " (" + name + ")");
  }
  return {};
}

} // namespace aqueduct::actors::network

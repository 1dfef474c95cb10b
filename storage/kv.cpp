// What all key-value stores share.
#include "storage/kv.hpp"

namespace aqueduct::storage {

std::string end_of_prefix(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty()) {
    if (static_cast<unsigned char>(end.back()) != 0xff) {
      end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
      return end;
    }
    end.pop_back();
  }
  return end;
}

} // namespace aqueduct::storage

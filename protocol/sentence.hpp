// How long a sentence may be that goes to somebody else: what it quotes may have come from there.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

namespace aqueduct {

/// Most bytes of a sentence that answers a request as a whole.
inline constexpr std::size_t sentence_bytes_max = 1000;

/// `sentence`, without what goes beyond the most that is sent. No character is cut in two.
[[nodiscard]] inline std::string cut_sentence(std::string sentence) {
  if (sentence.size() <= sentence_bytes_max)
    return sentence;
  auto size = sentence_bytes_max;
  while (size > 0 && (static_cast<unsigned char>(sentence[size]) & 0xc0u) == 0x80u)
    --size;
  sentence.resize(size);
  return std::move(sentence) + "...";
}

} // namespace aqueduct

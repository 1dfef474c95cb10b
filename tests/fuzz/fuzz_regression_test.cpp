// Replays the corpus of every fuzz target without libFuzzer: each file, each file cut at several
// lengths, and each with a few bits flipped from a fixed seed. Runs with any compiler.
#include "tests/support/sample_bytes.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

using entry_point = int (*)(const std::uint8_t*, std::size_t);

// AQUEDUCT_FUZZ_ENTRIES comes from the build: AQUEDUCT_FUZZ_ENTRY(name) for each target.
#define AQUEDUCT_FUZZ_ENTRY(name) extern "C" int fuzz_##name(const std::uint8_t*, std::size_t);
AQUEDUCT_FUZZ_ENTRIES
#undef AQUEDUCT_FUZZ_ENTRY

namespace {

namespace fs = std::filesystem;

struct target {
  const char* name;
  entry_point run;
};

#define AQUEDUCT_FUZZ_ENTRY(name) {#name, fuzz_##name},
constexpr target targets[] = {AQUEDUCT_FUZZ_ENTRIES};
#undef AQUEDUCT_FUZZ_ENTRY

using fuzz_bytes = std::vector<std::uint8_t>;

std::vector<fs::path> corpus_of(const target& t) {
  std::vector<fs::path> files;
  const auto folder = fs::path(AQUEDUCT_FUZZ_CORPUS) / t.name;
  if (fs::is_directory(folder))
    for (const auto& entry : fs::directory_iterator(folder))
      files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

fuzz_bytes read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void run(const target& t, const fuzz_bytes& bytes) {
  // Memory of exactly the size, so that a sanitizer sees reads behind the end.
  const fuzz_bytes exact(bytes.begin(), bytes.end());
  try {
    CHECK(t.run(exact.data(), exact.size()) == 0);
  } catch (const std::exception& finding) {
    FAIL_CHECK(finding.what());
  }
}

void run_variants(const target& t, const fuzz_bytes& whole) {
  run(t, whole);
  for (std::size_t i = 0; i < 16; ++i)
    run(t, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(whole.size() * i / 16)});
  aqueduct::testing::sample_generator samples(whole.size());
  for (int i = 0; i < 32 && !whole.empty(); ++i) {
    auto damaged = whole;
    for (auto flips = 1 + samples.below(3); flips > 0; --flips)
      damaged[samples.below(damaged.size())] ^= static_cast<std::uint8_t>(1 << samples.below(8));
    run(t, damaged);
  }
}

} // namespace

TEST_SUITE("fuzz.regression") {

  TEST_CASE("every fuzz target has a corpus and survives it, cut and damaged too") {
    for (const auto& t : targets) {
      CAPTURE(std::string(t.name));
      const auto files = corpus_of(t);
      CHECK_FALSE(files.empty());
      for (const auto& file : files) {
        CAPTURE(file.string());
        run_variants(t, read_file(file));
      }
    }
  }

} // TEST_SUITE

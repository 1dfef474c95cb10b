// The benchmark's histogram against a sorted vector.
#include "apps/bench/histogram.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

using aqueduct::bench::histogram;

namespace {

constexpr double quantiles[] = {0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0};

std::uint64_t exact(const std::vector<std::uint64_t>& sorted, double quantile) {
  const auto rank =
      static_cast<std::size_t>(std::ceil(quantile * static_cast<double>(sorted.size())));
  return sorted[rank == 0 ? 0 : rank - 1];
}

histogram of(const std::vector<std::uint64_t>& values) {
  histogram h;
  for (const auto value : values)
    h.record(value);
  return h;
}

void check_against_sorted(std::vector<std::uint64_t> values) {
  const auto h = of(values);
  std::ranges::sort(values);
  CHECK(h.count() == values.size());
  CHECK(h.max() == values.back());
  for (const auto quantile : quantiles) {
    const auto truth = exact(values, quantile);
    const auto told = h.value_at(quantile);
    CAPTURE(quantile);
    CHECK(told >= truth);
    CHECK(static_cast<double>(told - truth) <= static_cast<double>(truth) * 0.008);
  }
}

} // namespace

TEST_SUITE("bench.histogram") {
  TEST_CASE("an empty histogram answers zero") {
    const histogram h;
    CHECK(h.empty());
    CHECK(h.value_at(0.5) == 0);
    CHECK(h.max() == 0);
    CHECK(h.corrected(10).empty());
  }

  TEST_CASE("values below 256 are exact") {
    std::vector<std::uint64_t> values;
    for (std::uint64_t v = 0; v < histogram::exact_below; ++v)
      values.push_back(v);
    const auto h = of(values);
    for (const auto quantile : quantiles)
      CHECK(h.value_at(quantile) == exact(values, quantile));
  }

  TEST_CASE("every power of two and its neighbours is found again within 0.8 %") {
    for (unsigned bit = 1; bit < 63; ++bit)
      for (const std::uint64_t value : {(std::uint64_t{1} << bit) - 1, std::uint64_t{1} << bit,
                                        (std::uint64_t{1} << bit) + 1}) {
        // A larger value keeps the maximum from hiding what the bucket says.
        const auto h = of({value, ~std::uint64_t{0} >> 1});
        CAPTURE(value);
        CHECK(h.value_at(0.5) >= value);
        CHECK(static_cast<double>(h.value_at(0.5) - value) <= static_cast<double>(value) * 0.008);
      }
  }

  TEST_CASE("quantiles are those of the sorted values within 0.8 %") {
    std::mt19937_64 random(7);
    std::vector<std::uint64_t> even;
    std::vector<std::uint64_t> skewed;
    for (int i = 0; i < 20'000; ++i) {
      even.push_back(random() % 1'000'000);
      skewed.push_back(std::uint64_t{1} << (random() % 40) | random() % 1000);
    }
    check_against_sorted(even);
    check_against_sorted(skewed);
    check_against_sorted({42});
  }

  TEST_CASE("two histograms together are that of all values") {
    std::mt19937_64 random(8);
    std::vector<std::uint64_t> first;
    std::vector<std::uint64_t> second;
    for (int i = 0; i < 1000; ++i) {
      first.push_back(random() % 500);
      second.push_back(random() % 5'000'000);
    }
    auto both = of(first);
    both.add(of(second));
    auto all = first;
    all.insert(all.end(), second.begin(), second.end());
    const auto together = of(all);
    CHECK(both.count() == together.count());
    CHECK(both.max() == together.max());
    for (const auto quantile : quantiles)
      CHECK(both.value_at(quantile) == together.value_at(quantile));
  }

  TEST_CASE("a stall stands for the requests that were not sent while it lasted") {
    histogram h;
    h.record(10, 99);
    h.record(100);
    const auto corrected = h.corrected(10);
    // 90, 80 ... 10 are added to the one value of 100.
    CHECK(corrected.count() == 99 + 10);
    CHECK(corrected.max() == 100);
    CHECK(h.value_at(0.99) == 10);
    CHECK(corrected.value_at(0.99) == 90);
    CHECK(h.corrected(0).count() == h.count());
  }
}

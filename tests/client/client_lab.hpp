// A client of the fake cluster that does not wait, and what producers of it have stored.
#pragma once

#include "protocol/client/client.hpp"
#include "protocol/record_reader.hpp"
#include "tests/client/fake_cluster.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace aqueduct::test {

inline client::cluster open(const fake_cluster& brokers) {
  client::cluster_config config;
  config.brokers = brokers.addresses();
  config.backoff_min = std::chrono::milliseconds(1);
  config.backoff_max = std::chrono::milliseconds(10);
  auto opened = client::cluster::open(config);
  REQUIRE_MESSAGE(opened, to_string(opened.error()));
  return *opened;
}

inline client::producer_config quick_producer() {
  client::producer_config config;
  config.linger = std::chrono::milliseconds(0);
  config.backoff_min = std::chrono::milliseconds(1);
  config.backoff_max = std::chrono::milliseconds(10);
  return config;
}

inline client::producer create(const client::cluster& on,
                               client::producer_config config = quick_producer()) {
  auto created = client::producer::create(on, std::move(config));
  REQUIRE_MESSAGE(created, to_string(created.error()));
  return std::move(*created);
}

/// The values of a partition in the order in which they are stored.
inline std::vector<std::string> stored(fake_cluster& brokers, const std::string& topic,
                                       int partition) {
  return brokers.with([&](fake_cluster& state) {
    std::vector<std::string> values;
    protocol::record_reader reader;
    for (const auto& batch :
         state.topics.at(topic).partitions.at(static_cast<std::size_t>(partition)).batches) {
      reader.open(protocol::batch_view(batch.bytes()));
      for (protocol::record_view record; reader.next(record);)
        values.emplace_back(client::bytes_view(*record.value).text());
      REQUIRE(reader.status());
    }
    return values;
  });
}

/// 0, 1, 2 ...
inline std::vector<std::string> numbers(int count) {
  std::vector<std::string> all;
  for (int i = 0; i < count; ++i)
    all.push_back(std::to_string(i));
  return all;
}

} // namespace aqueduct::test

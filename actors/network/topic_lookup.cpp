#include "actors/network/topic_lookup.hpp"

#include "actors/controller/controller_core.hpp"

#include <utility>

namespace aqueduct::actors::network {

error no_such_topic(std::string_view name) {
  if (auto valid = check_topic_name(name); !valid)
    return valid.error();
  return {errc::unknown_topic, "there is no topic '" + std::string(name) + "'"};
}

topic_lookup::topic_lookup(const topic_directory& directory, std::string_view name)
    : topic_(directory.find(name)), name_(name) {}

error topic_lookup::missing() {
  auto why = no_such_topic(name_);
  if (std::exchange(named_, true) && why.code == errc::unknown_topic)
    why.message = "there is no such topic";
  return why;
}

found_partition topic_lookup::partition(std::int32_t number) {
  if (!topic_)
    return {nullptr, missing(), -1};
  const auto& partitions = topic_->partitions;
  if (number < 0 || static_cast<std::size_t>(number) >= partitions.size()) {
    const auto which = std::exchange(named_, true) ? std::string("the topic")
                                                   : "topic '" + std::string(name_) + "'";
    return {nullptr,
            {errc::unknown_partition,
             which + " has partitions 0 to " + std::to_string(partitions.size() - 1)},
            -1};
  }
  const auto& route = partitions[static_cast<std::size_t>(number)];
  if (!route->handle)
    return {nullptr, {errc::not_leader, "another broker leads the partition"}, route->leader};
  return {route, {}, -1};
}

} // namespace aqueduct::actors::network

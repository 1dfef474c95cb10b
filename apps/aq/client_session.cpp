#include "apps/aq/client_session.hpp"

#include "apps/aq/suggest.hpp"
#include "apps/aq/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

namespace aqueduct::aq {

namespace {

using setter = result<void> (*)(client_settings&, std::string_view);

result<void> set_duration(client::milliseconds& to, std::string_view text) {
  const auto duration = parse_duration(text);
  if (!duration)
    return duration.propagate();
  to = *duration;
  return {};
}

template <class T>
result<void> set_size(T& to, std::string_view text) {
  const auto size = parse_size(text);
  if (!size)
    return size.propagate();
  to = static_cast<T>(*size);
  return {};
}

result<void> set_choice(bool& to, std::string_view text, std::string_view yes,
                        std::string_view no) {
  if (text != yes && text != no)
    return unexpected(errc::invalid_request,
                      fmt::format("\"{}\" is neither {} nor {}", text, yes, no));
  to = text == yes;
  return {};
}

struct setting_row {
  std::string_view key;
  std::string_view meaning;
  setter set;
};

constexpr auto settings = std::to_array<setting_row>({
    {"client.id", "name of the application in the brokers' logs",
     [](client_settings& s, std::string_view v) -> result<void> {
       s.cluster.client_id = v;
       return {};
     }},
    {"client.rack", "rack of this client",
     [](client_settings& s, std::string_view v) -> result<void> {
       s.cluster.rack = v;
       return {};
     }},
    {"connect.timeout", "for one attempt to connect, as in 5s",
     [](client_settings& s, std::string_view v) {
       return set_duration(s.cluster.connect_timeout, v);
     }},
    {"request.timeout", "for one request, as in 30s; same as --timeout",
     [](client_settings& s, std::string_view v) {
       return set_duration(s.cluster.request_timeout, v);
     }},
    {"producer.batch_bytes", "size at which a batch is sent, as in 256KiB",
     [](client_settings& s, std::string_view v) { return set_size(s.producer.batch_bytes, v); }},
    {"producer.linger", "shortest time between two batches that are not full",
     [](client_settings& s, std::string_view v) { return set_duration(s.producer.linger, v); }},
    {"producer.memory", "bytes of records that are collected or under way",
     [](client_settings& s, std::string_view v) { return set_size(s.producer.memory_bytes, v); }},
    {"producer.delivery_timeout", "from sending to the last answer, retries included",
     [](client_settings& s, std::string_view v) {
       return set_duration(s.producer.delivery_timeout, v);
     }},
    {"producer.in_flight", "batches of a partition under way, 1 to 5",
     [](client_settings& s, std::string_view v) {
       return set_size(s.producer.in_flight_per_partition, v);
     }},
    {"producer.idempotent", "true or false; true unless acks is none",
     [](client_settings& s, std::string_view v) {
       bool flag = true;
       auto done = set_choice(flag, v, "true", "false");
       s.producer.idempotent = flag;
       return done;
     }},
    {"producer.partitioning", "by_key or round_robin",
     [](client_settings& s, std::string_view v) {
       bool by_key = true;
       auto done = set_choice(by_key, v, "by_key", "round_robin");
       s.producer.partitioning =
           by_key ? client::partitioning::by_key : client::partitioning::round_robin;
       return done;
     }},
    {"consumer.mode", "fetch, or push: the broker pushes what is committed",
     [](client_settings& s, std::string_view v) {
       bool is_push = false;
       auto done = set_choice(is_push, v, "push", "fetch");
       s.consumer.mode = is_push ? client::consume_mode::push : client::consume_mode::fetch;
       return done;
     }},
    {"consumer.read_from",
     "leader, any, bounded:500ms or linearizable; see consume --follower-read",
     [](client_settings& s, std::string_view v) {
       auto parsed = parse_read_source(v);
       if (parsed)
         s.consumer.read_from = *parsed;
       return parsed ? result<void>() : result<void>(parsed.propagate());
     }},
    {"consumer.partition_bytes", "most bytes of one partition in one fetch",
     [](client_settings& s, std::string_view v) {
       return set_size(s.consumer.partition_bytes_max, v);
     }},
    {"consumer.prefetch", "bytes read ahead over all partitions",
     [](client_settings& s, std::string_view v) { return set_size(s.consumer.prefetch_bytes, v); }},
    {"consumer.fetch_wait", "longest wait of a fetch, as in 500ms",
     [](client_settings& s, std::string_view v) {
       return set_duration(s.consumer.fetch_wait_max, v);
     }},
    {"consumer.verify_checksums", "true or false",
     [](client_settings& s,
        std::string_view
            v) { return set_choice(s.consumer.verify_checksums, v, "true", "false"); }},
});

unexpected unknown_setting(const std::string& key) {
  std::vector<std::string> keys;
  std::optional<std::string> near;
  for (const auto& row : settings) {
    keys.emplace_back(row.key);
    // Without its section a key is not far off, whatever the number of letters.
    if (row.key.ends_with("." + key))
      near = row.key;
  }
  if (!near)
    near = nearest(key, keys);
  return unexpected(
      errc::invalid_request,
      fmt::format("-X {}: there is no such setting{}", key,
                  near ? fmt::format(". Did you mean {}?", *near) : "; see aq help settings"));
}

std::optional<std::int32_t> parse_partition_number(std::string_view text) {
  std::int32_t number = 0;
  const auto end = text.data() + text.size();
  const auto [at, code] = std::from_chars(text.data(), end, number);
  if (text.empty() || code != std::errc{} || at != end || number < 0)
    return std::nullopt;
  return number;
}

client::offset_query make_query(const std::string& topic, std::int32_t partition,
                                client::offset_query::kind at, timestamp_ms time = {}) {
  return {{topic, partition_id(partition)}, at, time};
}

} // namespace

result<client::read_source> parse_read_source(std::string_view text) {
  constexpr std::string_view bounded = "bounded:";
  if (text == "leader")
    return client::read_source::leader();
  if (text == "any")
    return client::read_source::any();
  if (text == "linearizable")
    return client::read_source::linearizable();
  if (!text.starts_with(bounded))
    return unexpected(errc::invalid_request,
                      "\"" + std::string(text) +
                          "\" is none of leader, any, linearizable and bounded:AGE, as in "
                          "bounded:500ms");
  const auto age = parse_duration(text.substr(bounded.size()));
  if (!age)
    return age.propagate();
  return client::read_source::within(*age);
}

result<client_settings> make_client_settings(const global_options& options) {
  client_settings made;
  made.cluster.client_id = "aq";
  // Large batches: what `aq` moves is mostly files and pipes.
  made.producer.batch_bytes = std::size_t{512} << 10;
  made.consumer.partition_bytes_max = std::size_t{4} << 20;
  if (!options.brokers.empty())
    made.cluster.brokers = options.brokers;
  if (options.timeout) {
    made.cluster.request_timeout = *options.timeout;
    made.cluster.connect_timeout = std::min(made.cluster.connect_timeout, *options.timeout);
    made.producer.delivery_timeout = *options.timeout;
    made.producer.request_timeout = std::min(made.producer.request_timeout, *options.timeout);
  }
  for (const auto& [key, text] : options.settings) {
    const auto row = std::ranges::find(settings, key, &setting_row::key);
    if (row == settings.end())
      return unknown_setting(key);
    if (auto done = row->set(made, text); !done)
      return unexpected(errc::invalid_request, fmt::format("-X {}: {}", key, done.error().message));
  }
  return made;
}

std::string client_settings_help() {
  std::string text;
  for (const auto& row : settings)
    text += fmt::format("  {:<28}{}\n", row.key, row.meaning);
  return text;
}

result<client::cluster> connect(session& on) {
  auto made = make_client_settings(on.options());
  if (!made)
    return made.propagate();
  return client::cluster::open(std::move(made->cluster));
}

result<std::map<std::int32_t, partition_bounds>> partition_bounds_of(const client::cluster& cluster,
                                                                     const std::string& topic) {
  auto handle = cluster;
  const auto layout = handle.topic(topic);
  if (!layout)
    return layout.propagate();
  std::vector<client::offset_query> queries;
  for (const auto& each : layout->partitions) {
    queries.push_back(
        make_query(topic, each.partition.value, client::offset_query::kind::earliest));
    queries.push_back(make_query(topic, each.partition.value, client::offset_query::kind::latest));
  }
  const auto answers = client::admin(handle).list_offsets(queries);
  if (!answers)
    return answers.propagate();
  std::map<std::int32_t, partition_bounds> bounds;
  for (std::size_t i = 0; i < answers->size() && i < queries.size(); ++i) {
    const auto& answer = (*answers)[i];
    if (!answer.offset)
      return unexpected(
          answer.offset.error().code,
          fmt::format("{}: {}", to_string(answer.partition), answer.offset.error().message));
    auto& known = bounds[answer.partition.partition.value];
    const bool is_start = queries[i].at == client::offset_query::kind::earliest;
    (is_start ? known.start : known.end) = answer.offset->value_or(offset_t(0)).value;
  }
  return bounds;
}

result<std::map<std::int32_t, std::int64_t>>
offsets_at(const client::cluster& cluster, const std::string& topic, const position& where,
           const std::map<std::int32_t, partition_bounds>& partitions) {
  std::map<std::int32_t, std::int64_t> offsets;
  std::vector<client::offset_query> queries;
  for (const auto& [partition, bounds] : partitions) {
    if (const auto offset = resolve(where, bounds))
      offsets[partition] = *offset;
    else
      queries.push_back(make_query(topic, partition, client::offset_query::kind::timestamp,
                                   timestamp_ms(where.number)));
  }
  if (queries.empty())
    return offsets;
  const auto answers = client::admin(cluster).list_offsets(queries);
  if (!answers)
    return answers.propagate();
  for (const auto& answer : *answers) {
    if (!answer.offset)
      return answer.offset.propagate();
    const auto partition = answer.partition.partition.value;
    // No record is that late: everything is before it.
    const auto end = partitions.at(partition).end;
    offsets[partition] = answer.offset->value_or(offset_t(end)).value;
  }
  return offsets;
}

result<std::vector<std::int32_t>> parse_partitions(std::string_view text) {
  constexpr std::int32_t partitions_max = 1'000'000;
  std::set<std::int32_t> numbers;
  for (auto rest = text; !rest.empty();) {
    const auto comma = std::min(rest.find(','), rest.size());
    const auto part = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const auto dash = part.find('-');
    const auto first = parse_partition_number(part.substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? first : parse_partition_number(part.substr(dash + 1));
    if (!first || !last || *last < *first || *last > partitions_max)
      return unexpected(
          errc::invalid_request,
          fmt::format("\"{}\" is not a list of partitions; write 0, 0,2 or 0-5", text));
    for (auto number = *first; number <= *last; ++number)
      numbers.insert(number);
  }
  if (numbers.empty())
    return unexpected(errc::invalid_request, "the list of partitions is empty");
  return std::vector<std::int32_t>(numbers.begin(), numbers.end());
}

result<void> keep_partitions(std::map<std::int32_t, partition_bounds>& all,
                             const std::string& topic, const std::string& list) {
  if (list.empty())
    return {};
  const auto wanted = parse_partitions(list);
  if (!wanted)
    return wanted.propagate();
  for (const auto partition : *wanted)
    if (!all.contains(partition))
      return unexpected(errc::unknown_partition,
                        fmt::format("topic \"{}\" has no partition {}", topic, partition));
  std::erase_if(all, [&](const auto& each) {
    return std::ranges::find(*wanted, each.first) == wanted->end();
  });
  return {};
}

} // namespace aqueduct::aq

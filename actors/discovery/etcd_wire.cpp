#include "actors/discovery/etcd_wire.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <charconv>
#include <limits>

namespace aqueduct::actors {

namespace {

using nlohmann::json;

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// gRPC's NOT_FOUND, which etcd answers for a lease that is gone.
constexpr std::int64_t grpc_not_found = 5;
/// What of an answer that cannot be read is shown.
constexpr std::size_t excerpt_bytes_max = 100;

constexpr auto values_of_digits = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return values;
}();

/// The first key behind all that begin with `prefix` (etcd's rule for ranges).
std::string end_of_prefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff)
    prefix.pop_back();
  if (prefix.empty())
    return std::string(1, '\0');
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

/// 64-bit numbers are text in the JSON of gRPC, and left out when they are 0.
std::optional<std::int64_t> number_in(const json& object, const char* name) {
  const auto at = object.find(name);
  if (at == object.end())
    return 0;
  if (at->is_number_integer())
    return at->is_number_unsigned() && at->get<std::uint64_t>() >
                                           std::uint64_t{std::numeric_limits<std::int64_t>::max()}
               ? std::nullopt
               : std::optional(at->get<std::int64_t>());
  if (!at->is_string())
    return std::nullopt;
  const auto& text = at->get_ref<const std::string&>();
  std::int64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, failed] = std::from_chars(text.data(), end, number);
  if (failed != std::errc() || stop != end)
    return std::nullopt;
  return number;
}

std::optional<std::string> bytes_in(const json& object, const char* name) {
  const auto at = object.find(name);
  if (at == object.end())
    return std::string();
  return at->is_string() ? from_base64(at->get_ref<const std::string&>()) : std::nullopt;
}

std::string text_in(const json& object, const char* name) {
  const auto at = object.find(name);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

bool flag_in(const json& object, const char* name) {
  const auto at = object.find(name);
  return at != object.end() && at->is_boolean() && at->get<bool>();
}

unexpected unreadable(std::string_view body) {
  std::string excerpt(body.substr(0, excerpt_bytes_max));
  for (auto& c : excerpt)
    if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) > '~')
      c = '?';
  return unexpected(errc::invalid_message, "its answer is not one of etcd's: '" + excerpt + "'");
}

json post_of(const etcd_compare& compare) {
  json made{{"key", to_base64(compare.key)}, {"result", "EQUAL"}};
  if (compare.value) {
    made["target"] = "VALUE";
    made["value"] = to_base64(*compare.value);
  } else {
    made["target"] = "MOD";
    made["mod_revision"] = std::to_string(compare.mod_revision);
  }
  return made;
}

json range_of(const std::string& prefix) {
  return {{"key", to_base64(prefix)}, {"range_end", to_base64(end_of_prefix(prefix))}};
}

struct encoder {
  http_request operator()(const etcd_grant& request) const {
    return {"/v3/lease/grant", json{{"TTL", std::to_string(request.ttl_s)}}.dump()};
  }

  http_request operator()(const etcd_keep_alive& request) const {
    return {"/v3/lease/keepalive", json{{"ID", std::to_string(request.lease)}}.dump()};
  }

  http_request operator()(const etcd_range& request) const {
    return {"/v3/kv/range", range_of(request.prefix).dump()};
  }

  http_request operator()(const etcd_txn& request) const {
    json put{{"key", to_base64(request.then.key)}, {"value", to_base64(request.then.value)}};
    if (request.then.lease != 0)
      put["lease"] = std::to_string(request.then.lease);
    auto compares = json::array();
    for (const auto& each : request.if_all)
      compares.push_back(post_of(each));
    return {
        "/v3/kv/txn",
        json{{"compare", compares}, {"success", json::array({json{{"request_put", put}}})}}.dump()};
  }
};

/// The answer of a gRPC stream is wrapped.
std::optional<etcd_lease> read_lease(const json& body, bool is_stream) {
  const auto inner = is_stream ? body.value("result", json()) : body;
  if (!inner.is_object())
    return std::nullopt;
  const auto id = number_in(inner, "ID");
  const auto ttl = number_in(inner, "TTL");
  if (!id || !ttl || *id == 0 || *ttl < 0)
    return std::nullopt;
  return etcd_lease{*id, *ttl};
}

std::optional<etcd_entries> read_entries(const json& body) {
  const auto header = body.find("header");
  if (header == body.end() || !header->is_object())
    return std::nullopt;
  etcd_entries read;
  const auto revision = number_in(*header, "revision");
  if (!revision)
    return std::nullopt;
  read.revision = *revision;
  const auto kvs = body.find("kvs");
  if (kvs == body.end())
    return read;
  if (!kvs->is_array())
    return std::nullopt;
  for (const auto& kv : *kvs) {
    if (!kv.is_object())
      return std::nullopt;
    auto key = bytes_in(kv, "key");
    auto value = bytes_in(kv, "value");
    const auto changed = number_in(kv, "mod_revision");
    const auto lease = number_in(kv, "lease");
    if (!key || !value || !changed || !lease)
      return std::nullopt;
    read.entries.push_back({std::move(*key), std::move(*value), *changed, *lease});
  }
  return read;
}

/// What etcd refused; 3.4 says `error`, later releases `message`.
result<etcd_reply> read_refusal(const etcd_request& request, unsigned status, const json& body) {
  auto words = text_in(body, "message");
  if (words.empty())
    words = text_in(body, "error");
  if (std::holds_alternative<etcd_txn>(request) && number_in(body, "code") == grpc_not_found)
    return etcd_reply(etcd_lease_lost{});
  return unexpected(errc::broker_unavailable,
                    words.empty() ? "it answers with HTTP status " + std::to_string(status)
                                  : words);
}

} // namespace

http_request encode(const etcd_request& request) {
  return std::visit(encoder{}, request);
}

http_request encode_watch(const std::string& prefix, std::int64_t from_revision) {
  auto create = range_of(prefix);
  create["start_revision"] = std::to_string(from_revision);
  return {"/v3/watch", json{{"create_request", create}}.dump()};
}

result<etcd_reply> decode(const etcd_request& request, unsigned status, std::string_view text) {
  const auto body = json::parse(text, nullptr, false);
  if (status != 200) {
    if (!body.is_object())
      return unexpected(errc::broker_unavailable,
                        "it answers with HTTP status " + std::to_string(status));
    return read_refusal(request, status, body);
  }
  if (!body.is_object())
    return unreadable(text);
  // A stream that fails says so behind its status.
  if (const auto failed = body.find("error"); failed != body.end())
    return read_refusal(request, status, failed->is_object() ? *failed : body);
  std::optional<etcd_reply> read;
  if (std::holds_alternative<etcd_range>(request)) {
    if (auto entries = read_entries(body))
      read = std::move(*entries);
  } else if (std::holds_alternative<etcd_txn>(request)) {
    if (const auto header = body.find("header"); header != body.end() && header->is_object())
      read = etcd_txn_done{flag_in(body, "succeeded")};
  } else if (const auto lease =
                 read_lease(body, std::holds_alternative<etcd_keep_alive>(request))) {
    read = *lease;
  }
  if (!read)
    return unreadable(text);
  return std::move(*read);
}

result<etcd_watch_news> decode_watch(std::string_view line) {
  const auto body = json::parse(line, nullptr, false);
  if (!body.is_object())
    return unreadable(line);
  const auto inner = body.find("result");
  if (inner == body.end() || !inner->is_object()) {
    if (body.contains("error"))
      return etcd_watch_news{false, true};
    return unreadable(line);
  }
  const auto events = inner->find("events");
  return etcd_watch_news{events != inner->end() && events->is_array() && !events->empty(),
                         flag_in(*inner, "canceled")};
}

// -- what Aqueduct keeps there -------------------------------------------------------------------

std::string encode(const registered_node& node) {
  return json{{"address", to_string(node.address)},
              {"incarnation", node.incarnation},
              {"cluster", node.cluster.is_nil() ? json() : json(to_string(node.cluster))}}
      .dump();
}

std::string encode(const registered_founder& founder) {
  return json{{"node", founder.node}, {"incarnation", founder.incarnation}}.dump();
}

std::optional<registered_node> decode_node(std::string_view text) {
  const auto body = json::parse(text, nullptr, false);
  if (!body.is_object() || !body.contains("incarnation") ||
      !body.at("incarnation").is_number_unsigned())
    return std::nullopt;
  const auto address = config::parse_endpoint(text_in(body, "address"));
  if (!address)
    return std::nullopt;
  registered_node node{*address, body.at("incarnation").get<std::uint64_t>(), {}};
  const auto cluster = body.find("cluster");
  if (cluster == body.end() || cluster->is_null())
    return node;
  if (!cluster->is_string() || !parse_uuid(cluster->get_ref<const std::string&>(), node.cluster))
    return std::nullopt;
  return node;
}

std::optional<registered_founder> decode_founder(std::string_view text) {
  const auto body = json::parse(text, nullptr, false);
  if (!body.is_object() || !body.contains("node") || !body.contains("incarnation") ||
      !body.at("node").is_number_unsigned() || !body.at("incarnation").is_number_unsigned())
    return std::nullopt;
  const auto node = body.at("node").get<std::uint64_t>();
  if (node > std::uint64_t{std::numeric_limits<std::int32_t>::max()})
    return std::nullopt;
  return registered_founder{static_cast<std::int32_t>(node),
                            body.at("incarnation").get<std::uint64_t>()};
}

std::string to_base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const auto left = std::min<std::size_t>(bytes.size() - at, 3);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < left ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i)
      text.push_back(i <= left ? alphabet[group >> (18 - 6 * i) & 63U] : '=');
  }
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0)
    return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t at = 0; at < text.size(); at += 4) {
    const bool is_last = at + 4 == text.size();
    std::size_t padding = 0;
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const auto digit = text[at + i];
      const auto value = values_of_digits[static_cast<unsigned char>(digit)];
      if (digit == '=' && is_last && i >= 2)
        ++padding;
      else if (value < 0 || padding > 0)
        return std::nullopt;
      group = group << 6 | (value < 0 ? 0U : static_cast<std::uint32_t>(value));
    }
    for (std::size_t i = 0; i < 3 - padding; ++i)
      bytes.push_back(static_cast<char>(group >> (16 - 8 * i) & 0xffU));
  }
  return bytes;
}

} // namespace aqueduct::actors

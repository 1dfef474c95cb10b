#include "protocol/bytes.hpp"
#include "protocol/kafka/codec.hpp"

namespace aqueduct::protocol::kafka {

namespace {

/// Skips the tagged fields of a header: none is known.
void skip_tags(byte_reader& reader) {
  const auto count = reader.read_varint();
  for (std::uint64_t i = 0; i < count && !reader.failed(); ++i) {
    (void)reader.read_varint();
    (void)reader.read_bytes(static_cast<std::size_t>(reader.read_varint()));
  }
}

} // namespace

result<request_header> read_request_header(const buffer& frame) {
  byte_reader reader(frame.bytes());
  (void)reader.read<std::int32_t>();
  const auto key = reader.read<std::int16_t>();
  request_header header;
  header.version = reader.read<std::int16_t>();
  header.correlation_id = reader.read<std::int32_t>();
  if (reader.failed())
    return unexpected(errc::invalid_request, "the frame is too small for a request");
  const auto* api = find_api(key);
  if (api == nullptr)
    return unexpected(errc::unsupported_api, "request " + std::to_string(key) + " is unknown");
  header.key = api->key;
  if (!api->has(header.version)) {
    header.size = request_bytes_min;
    if (api->key == api_key::api_versions)
      return header;
    return unexpected(errc::unsupported_version, std::string(api->name) + " has versions " +
                                                     std::to_string(api->version_min) + " to " +
                                                     std::to_string(api->version_max) + ", not " +
                                                     std::to_string(header.version));
  }
  if (const auto size = reader.read<std::int16_t>(); size > 0) {
    const auto text = reader.read_bytes(static_cast<std::size_t>(size));
    header.client_id.assign(reinterpret_cast<const char*>(text.data()), text.size());
  }
  if (api->is_flexible(header.version))
    skip_tags(reader);
  if (reader.failed())
    return unexpected(errc::invalid_request,
                      "the header of " + std::string(api->name) + " is cut off");
  header.size = frame.size() - reader.remaining();
  return header;
}

} // namespace aqueduct::protocol::kafka

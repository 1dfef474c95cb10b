#include "protocol/native/codec_impl.hpp"
#include "protocol/native/messages.hpp"

namespace aqueduct::protocol {

AQUEDUCT_INSTANTIATE_CODEC(error_response)
AQUEDUCT_INSTANTIATE_CODEC(hello_request)
AQUEDUCT_INSTANTIATE_CODEC(hello_response)
AQUEDUCT_INSTANTIATE_CODEC(api_versions_request)
AQUEDUCT_INSTANTIATE_CODEC(api_versions_response)
AQUEDUCT_INSTANTIATE_CODEC(controller_discover_request)
AQUEDUCT_INSTANTIATE_CODEC(controller_discover_response)

error decode_error(const frame_header& header, const buffer& payload) {
  auto response = decode<error_response>(payload, header.version);
  if (!response)
    return {header.status, std::string(describe(header.status).meaning)};
  return {header.status, std::move(response->message)};
}

} // namespace aqueduct::protocol

#include "protocol/kafka/codec_impl.hpp"
#include "protocol/kafka/metadata_messages.hpp"

namespace aqueduct::protocol::kafka {

AQUEDUCT_KAFKA_MESSAGE(api_versions_request)
AQUEDUCT_KAFKA_MESSAGE(api_versions_response)
AQUEDUCT_KAFKA_MESSAGE(metadata_request)
AQUEDUCT_KAFKA_MESSAGE(metadata_response)
AQUEDUCT_KAFKA_MESSAGE(describe_cluster_request)
AQUEDUCT_KAFKA_MESSAGE(describe_cluster_response)

} // namespace aqueduct::protocol::kafka

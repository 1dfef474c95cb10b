#include "protocol/kafka/codec_impl.hpp"
#include "protocol/kafka/quota_messages.hpp"

namespace aqueduct::protocol::kafka {

AQUEDUCT_KAFKA_MESSAGE(describe_client_quotas_request)
AQUEDUCT_KAFKA_MESSAGE(describe_client_quotas_response)
AQUEDUCT_KAFKA_MESSAGE(alter_client_quotas_request)
AQUEDUCT_KAFKA_MESSAGE(alter_client_quotas_response)

} // namespace aqueduct::protocol::kafka

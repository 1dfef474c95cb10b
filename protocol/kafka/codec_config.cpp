#include "protocol/kafka/codec_impl.hpp"
#include "protocol/kafka/config_messages.hpp"

namespace aqueduct::protocol::kafka {

AQUEDUCT_KAFKA_MESSAGE(describe_configs_request)
AQUEDUCT_KAFKA_MESSAGE(describe_configs_response)
AQUEDUCT_KAFKA_MESSAGE(alter_configs_request)
AQUEDUCT_KAFKA_MESSAGE(alter_configs_response)
AQUEDUCT_KAFKA_MESSAGE(incremental_alter_configs_request)
AQUEDUCT_KAFKA_MESSAGE(incremental_alter_configs_response)

} // namespace aqueduct::protocol::kafka

#include "protocol/kafka/codec_impl.hpp"
#include "protocol/kafka/placement_messages.hpp"

namespace aqueduct::protocol::kafka {

AQUEDUCT_KAFKA_MESSAGE(elect_leaders_request)
AQUEDUCT_KAFKA_MESSAGE(elect_leaders_response)
AQUEDUCT_KAFKA_MESSAGE(alter_partition_reassignments_request)
AQUEDUCT_KAFKA_MESSAGE(alter_partition_reassignments_response)
AQUEDUCT_KAFKA_MESSAGE(list_partition_reassignments_request)
AQUEDUCT_KAFKA_MESSAGE(list_partition_reassignments_response)

} // namespace aqueduct::protocol::kafka

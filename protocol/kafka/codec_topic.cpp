#include "protocol/kafka/codec_impl.hpp"
#include "protocol/kafka/topic_messages.hpp"

namespace aqueduct::protocol::kafka {

AQUEDUCT_KAFKA_MESSAGE(create_topics_request)
AQUEDUCT_KAFKA_MESSAGE(create_topics_response)
AQUEDUCT_KAFKA_MESSAGE(delete_topics_request)
AQUEDUCT_KAFKA_MESSAGE(delete_topics_response)
AQUEDUCT_KAFKA_MESSAGE(create_partitions_request)
AQUEDUCT_KAFKA_MESSAGE(create_partitions_response)
AQUEDUCT_KAFKA_MESSAGE(describe_log_dirs_request)
AQUEDUCT_KAFKA_MESSAGE(describe_log_dirs_response)

} // namespace aqueduct::protocol::kafka

#include "protocol/kafka/codec_impl.hpp"
#include "protocol/kafka/offset_messages.hpp"

namespace aqueduct::protocol::kafka {

AQUEDUCT_KAFKA_MESSAGE(offset_commit_request)
AQUEDUCT_KAFKA_MESSAGE(offset_commit_response)
AQUEDUCT_KAFKA_MESSAGE(offset_fetch_request)
AQUEDUCT_KAFKA_MESSAGE(offset_fetch_response)
AQUEDUCT_KAFKA_MESSAGE(offset_delete_request)
AQUEDUCT_KAFKA_MESSAGE(offset_delete_response)

} // namespace aqueduct::protocol::kafka

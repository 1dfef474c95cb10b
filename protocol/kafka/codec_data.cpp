#include "protocol/kafka/codec_impl.hpp"
#include "protocol/kafka/data_messages.hpp"

namespace aqueduct::protocol::kafka {

AQUEDUCT_KAFKA_MESSAGE(produce_request)
AQUEDUCT_KAFKA_MESSAGE(produce_response)
AQUEDUCT_KAFKA_MESSAGE(fetch_request)
AQUEDUCT_KAFKA_MESSAGE(fetch_response)
AQUEDUCT_KAFKA_MESSAGE(list_offsets_request)
AQUEDUCT_KAFKA_MESSAGE(list_offsets_response)
AQUEDUCT_KAFKA_MESSAGE(offset_for_leader_epoch_request)
AQUEDUCT_KAFKA_MESSAGE(offset_for_leader_epoch_response)
AQUEDUCT_KAFKA_MESSAGE(init_producer_id_request)
AQUEDUCT_KAFKA_MESSAGE(init_producer_id_response)
AQUEDUCT_KAFKA_MESSAGE(delete_records_request)
AQUEDUCT_KAFKA_MESSAGE(delete_records_response)

} // namespace aqueduct::protocol::kafka

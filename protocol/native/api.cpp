#include "protocol/native/api.hpp"

#include <algorithm>
#include <array>

namespace aqueduct::protocol {

namespace {

constexpr auto table = std::to_array<api_info>({
    {api_key::produce, "PRODUCE", 1, 1,
     "Appends one record batch to each named partition. Batches of one request to one partition "
     "are stored in the order of the request; requests of one connection to one partition in the "
     "order in which they were sent."},
    {api_key::fetch, "FETCH", 1, 2,
     "Reads committed batches from many partitions. Waits up to `max_wait_ms` until `min_bytes` "
     "are there (long poll)."},
    {api_key::list_topics, "LIST_TOPICS", 1, 1, "Names all topics with their sizes."},
    {api_key::create_topic, "CREATE_TOPIC", 1, 1,
     "Creates a topic. The answer comes when the topic serves."},
    {api_key::delete_topic, "DELETE_TOPIC", 1, 1,
     "Deletes a topic and all its data. A topic of the same name can be created at once; it starts "
     "at offset 0."},
    {api_key::join_group, "JOIN_GROUP", 1, 1,
     "Makes the client a member of a consumer group, or lets it take part in the group's next "
     "rebalance. The answer comes when the rebalance is through and says which partitions are the "
     "member's; until then it goes on with what it has. To be sent to the group's coordinator, as "
     "all requests that name a group: others answer NOT_COORDINATOR and say who it is."},
    {api_key::leave_group, "LEAVE_GROUP", 1, 1, "Takes members out of a consumer group."},
    {api_key::heartbeat, "HEARTBEAT", 1, 1,
     "Keeps a member's session. REBALANCE_IN_PROGRESS asks the member to join again."},
    {api_key::commit_offset, "COMMIT_OFFSET", 1, 1,
     "Commits how far a consumer group has consumed, durably. Fenced by member and generation: who "
     "is not a member any more commits nothing."},
    {api_key::fetch_offset, "FETCH_OFFSET", 1, 1, "Reads committed offsets of a consumer group."},
    {api_key::get_topic_info, "GET_TOPIC_INFO", 1, 1,
     "Describes a topic: settings with their origin, and per partition the leader and the "
     "offsets."},
    {api_key::fetch_assignment, "FETCH_ASSIGNMENT", 1, 1,
     "Asks for a member's partitions again, after an answer to JOIN_GROUP was lost."},
    {api_key::batch_fetch, "BATCH_FETCH", 1, 1,
     "Reads several ranges of one partition in one request, without waiting."},
    {api_key::list_groups, "LIST_GROUPS", 1, 1,
     "Names the consumer groups that this broker coordinates; all brokers together have all."},
    {api_key::describe_group, "DESCRIBE_GROUP", 1, 1,
     "Describes a consumer group and its members."},
    {api_key::hello, "HELLO", 1, 1,
     "The first request of a connection, right after the preface: negotiates the protocol version "
     "and tells each side who the other is."},
    {api_key::api_versions, "API_VERSIONS", 1, 1,
     "Names the requests and versions that the broker speaks."},
    {api_key::subscribe, "SUBSCRIBE", 1, 1,
     "Asks the broker to push batches of one topic's partitions as they commit, against credits in "
     "bytes. The pushes are DELIVERY frames with the correlation id of this request."},
    {api_key::credit, "CREDIT", 1, 1, "Gives a subscription more credit. There is no response."},
    {api_key::unsubscribe, "UNSUBSCRIBE", 1, 1, "Ends a subscription."},
    {api_key::delivery, "DELIVERY", 1, 1, "A push of a subscription; never a request."},
    {api_key::list_offsets, "LIST_OFFSETS", 1, 1,
     "Finds offsets by time, the earliest and the latest among them."},
    {api_key::alter_topic, "ALTER_TOPIC", 1, 2,
     "Changes settings of a topic and adds partitions; both take effect at once. Changes that are "
     "under way together are judged in the order in which they are committed: each changes what it "
     "names and leaves the rest."},
    {api_key::delete_records, "DELETE_RECORDS", 1, 1,
     "Deletes all records before an offset, for each named partition."},
    {api_key::init_producer_id, "INIT_PRODUCER_ID", 1, 1,
     "Gives an idempotent producer its identity."},
    {api_key::find_coordinator, "FIND_COORDINATOR", 1, 1,
     "Says which broker coordinates a consumer group. Waits for replicas that elect, up to 1.5 s; "
     "COORDINATOR_LOADING: there is none by then, try again."},
    {api_key::delete_group, "DELETE_GROUP", 1, 1,
     "Forgets a consumer group without members, and its offsets."},
    {api_key::delete_offsets, "DELETE_OFFSETS", 1, 1,
     "Forgets committed offsets of a consumer group, of topics that no member subscribes to."},
    {api_key::controller_discover, "CONTROLLER_DISCOVER", 1, 1,
     "Says which broker leads the cluster's metadata."},
    {api_key::metadata, "METADATA", 1, 2,
     "Describes the brokers, and of the named topics the partitions and their leaders."},
});

static_assert(std::ranges::is_sorted(table, {}, &api_info::key), "searched by number");

} // namespace

std::span<const api_info> api_table() {
  return table;
}

const api_info* find_api(std::uint16_t key) {
  const auto row = std::ranges::lower_bound(table, static_cast<api_key>(key), {}, &api_info::key);
  return row != table.end() && row->key == static_cast<api_key>(key) ? &*row : nullptr;
}

std::string_view to_string(api_key key) {
  const auto* row = find_api(static_cast<std::uint16_t>(key));
  return row == nullptr ? "UNKNOWN" : row->name;
}

} // namespace aqueduct::protocol

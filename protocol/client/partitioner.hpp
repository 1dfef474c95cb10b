// How a record without an explicit partition finds one.
#pragma once

#include "protocol/client/types.hpp"

#include <cstdint>

namespace aqueduct::client {

/// The 32-bit MurmurHash2 (Austin Appleby, public domain) with the seed that Kafka's Java client
/// uses, read as a signed number.
[[nodiscard]] AQUEDUCT_CLIENT_API std::int32_t murmur2(byte_span bytes);

/// The partition of a key as Kafka's default partitioner computes it: the hash without its sign
/// bit, modulo the count. Always in [0, partition_count). Precondition: partition_count > 0.
[[nodiscard]] AQUEDUCT_CLIENT_API std::int32_t partition_for_key(byte_span key,
                                                                 std::int32_t partition_count);

} // namespace aqueduct::client

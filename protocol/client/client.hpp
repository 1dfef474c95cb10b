// The whole client library: cluster, producer, consumer, admin.
//
//     namespace aq = aqueduct::client;
//     auto cluster = aq::cluster::open({.brokers = {"127.0.0.1:9092"}});
//     auto producer = aq::producer::create(*cluster);
//     auto stored = producer->send_and_wait({.topic = "hello", .value = "hi"});
//
//     auto consumer = aq::consumer::create(*cluster);
//     consumer->assign_topic("hello", aq::start_position::earliest());
//     auto records = consumer->poll(std::chrono::seconds(1));
//     for (const auto& record : *records)
//       use(record.value->text());
//
// No function of the library throws: what can fail returns a `result`.
//
// Installed, these headers lie in <prefix>/include/aqueduct under the paths that they have in the
// source tree, so that their includes need no change; the CMake target aqueduct::client and the
// pkg-config module aqueduct-client name <prefix>/include and <prefix>/include/aqueduct as include
// folders. Users include <aqueduct/client.hpp>.
#pragma once

#include "protocol/client/admin.hpp"
#include "protocol/client/cluster.hpp"
#include "protocol/client/consumer.hpp"
#include "protocol/client/group_admin.hpp"
#include "protocol/client/group_consumer.hpp"
#include "protocol/client/partitioner.hpp"
#include "protocol/client/producer.hpp"
#include "protocol/client/types.hpp"

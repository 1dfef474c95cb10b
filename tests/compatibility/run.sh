#!/usr/bin/env bash
# Runs clients that others wrote for Kafka against real nodes: kcat, librdkafka, kafka-python,
# confluent-kafka and kafkajs, sarama, franz-go and kafka-go where there is Go, Kafka's own tools
# where AQUEDUCT_COMPAT_JAVA has the folder of their jars, packages for Node.js where
# AQUEDUCT_COMPAT_NODE has the folder that npm installed them in, and frames that no client would
# send.
# Needs a release build in build/ and Debian's python3, for its modules. Arguments go to unittest:
# run.sh -v test_kcat.ProduceOneNode
# With --soak MINUTES clients write and read for so long, while nodes are killed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export PYTHONPATH=$PWD:$PWD/../integration
if [[ ${1:-} == --soak ]]; then
  exec /usr/bin/python3 -B soak.py "$2"
fi
exec /usr/bin/python3 -B ../integration/run.py "$@"

#!/bin/sh
# Runs a command in a network of its own, in which NODES network namespaces n1, n2, ... hang on one
# bridge, node N at 10.9.0.N and the command itself at 10.9.0.254. Needs no rights but those that
# Linux gives to whoever makes a user namespace.
#   tests/support/namespaces.sh NODES COMMAND [ARGUMENTS...]
set -eu

if [ $# -lt 2 ]; then
  echo "usage: $0 NODES COMMAND [ARGUMENTS...]" >&2
  exit 64
fi
if [ -z "${AQUEDUCT_NAMESPACES:-}" ]; then
  AQUEDUCT_NAMESPACES=$1 exec unshare --user --map-root-user --net --mount "$0" "$@"
fi
shift

mount -t tmpfs tmpfs /run
mkdir /run/netns
ip link set lo up
ip link add bridge0 type bridge
ip address add 10.9.0.254/24 dev bridge0
ip link set bridge0 up
node=1
while [ "$node" -le "$AQUEDUCT_NAMESPACES" ]; do
  ip netns add "n$node"
  ip link add "to-n$node" type veth peer name eth0 netns "n$node"
  ip link set "to-n$node" master bridge0 up
  ip -netns "n$node" link set lo up
  ip -netns "n$node" address add "10.9.0.$node/24" dev eth0
  ip -netns "n$node" link set eth0 up
  node=$((node + 1))
done
exec "$@"

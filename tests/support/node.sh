# For scripts that need a node: `start_node FOLDER` starts build/bin/aqueductd on free ports with
# its data, its log and its output in FOLDER, and waits until it is ready. Leaves its pid in `node`
# and its address in AQUEDUCT_BROKER. `stop_node` stops it cleanly, `kill_node` in whatever way.
# shellcheck shell=bash
node=

start_node() {
  local folder=$1 line
  mkfifo "$folder/ready"
  build/bin/aqueductd --data-dir "$folder/data" --listen 127.0.0.1:0 \
    --set admin.listen=127.0.0.1:0 --set cluster.listen=127.0.0.1:0 \
    >"$folder/ready" 2>"$folder/log" &
  node=$!
  if ! read -r -t 30 line <"$folder/ready" || [[ $line != ready* ]]; then
    cat "$folder/log"
    return 1
  fi
  AQUEDUCT_BROKER=$(sed -E 's/.*listen=([^ ]+).*/\1/' <<<"$line")
  export AQUEDUCT_BROKER
}

stop_node() {
  local status=0
  kill "$node"
  wait "$node" || status=$?
  node=
  return "$status"
}

kill_node() {
  [ -n "$node" ] || return 0
  kill -9 "$node" 2>/dev/null || true
}

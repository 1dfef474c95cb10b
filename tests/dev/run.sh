#!/usr/bin/env bash
# Tests of ./dev itself: a copy of it runs in a scratch tree over programs that pass, fail, crash
# and say nothing, with a compiler and a package manager that only take notes.
# The programs below are written in single quotes, to be expanded when they run.
# shellcheck disable=SC2016
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0
failed=0

# check NAME CONDITION...: one test case.
check() {
  local name=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED %s\n--- output\n%s\n---\n' "$name" "$output"
  fi
}

# program PATH LINE...: an executable script.
program() {
  local path=$1
  shift
  mkdir -p "$(dirname "$path")"
  printf '%s\n' '#!/usr/bin/env bash' "$@" >"$path"
  chmod +x "$path"
}

# test_program NAME PASSED FAILED STATUS: ends as a doctest program does.
test_program() {
  local total=$(($2 + $3))
  program "build/tests/$1" \
    "echo '[doctest] test cases: $total | $2 passed | $3 failed | 0 skipped'" "exit $4"
}

# A fresh tree with the given tools in front of the real ones.
fresh_tree() {
  rm -rf "$scratch/tree"
  mkdir -p "$scratch/tree/build/tests"
  cd "$scratch/tree"
  cp "$top/dev" dev
  touch build/build.ninja
  for tool in cmake ninja clang-format shellcheck; do
    program "tools/$tool" 'exit 0'
  done
  program tools/dpkg-query 'echo installed'
  program tools/apt-get "echo \"apt-get \$*\" >>'$scratch/tree/notes'"
  program tools/sudo "echo \"sudo \$*\" >>'$scratch/tree/notes'"
  git init -q .
}

# dev ARGUMENTS...: runs the copy; leaves its standard output, all output and status.
dev() {
  status=0
  standard_output=$(PATH="$scratch/tree/tools:$PATH" ./dev "$@" 2>"$scratch/errors") || status=$?
  output="status $status"$'\n'"$standard_output"$'\n'"$(cat "$scratch/errors")"
}

ends() { [[ $status -eq $1 && $(tail -n 1 <<<"$standard_output") == "$2" ]]; }
shows() { [[ $output == *"$1"* ]]; }

fresh_tree
test_program a_test 3 0 0
test_program b_test 4 0 0
dev test
check 'the sum of all programs and the format check is the last line' ends 0 '8 passed, 0 failed'

dev test b_test
check 'a named program is tested alone' ends 0 '4 passed, 0 failed'

dev test c_test
check 'an unknown program is wrong usage' [ "$status" -eq 64 ]

test_program b_test 2 2 1
dev test
check 'failed test cases are counted and make the status' ends 1 '6 passed, 2 failed'

program build/tests/b_test 'kill -SEGV $$'
dev test
check 'a crash counts as a failure' ends 1 '4 passed, 1 failed'
check 'a crash is named' shows 'b_test: 0 passed, 1 failed'

test_program b_test 2 0 1
dev test
check 'a program that fails after its tests passed counts as a failure' ends 1 '6 passed, 1 failed'

test_program b_test 0 0 0
dev test
check 'a program without test cases counts as a failure' ends 1 '4 passed, 1 failed'

fresh_tree
test_program a_test 1 0 0
program tests/fuzz/run.sh 'echo "ran for $1 seconds"'
program tests/compat/run.sh 'echo "5 passed, 2 failed"; exit 1'
dev test
check 'scripts count once, or by the numbers of their last line' ends 1 '8 passed, 2 failed'

program tests/compat/run.sh 'echo broken; exit 3'
dev test
check 'a script that fails without numbers counts once' ends 1 '3 passed, 1 failed'
check 'what a failed script said is shown' shows 'broken'

fresh_tree
test_program a_test 1 0 0
program tools/clang-format 'exit 1'
touch a.cpp
dev test
check 'sources that are not formatted count as a failure' ends 1 '1 passed, 1 failed'
check 'the way to mend the format is named' shows 'run ./dev format'

fresh_tree
program tools/ninja 'echo "error: no semicolon"; exit 1'
dev test
check 'a build that fails ends the run' [ "$status" -ne 0 ]
check 'what the compiler said is shown' shows 'no semicolon'

fresh_tree
test_program a_test 1 0 0
dev test
check 'nothing is installed when everything is there' [ ! -e notes ]

program tools/dpkg-query '[[ ${*: -1} != cmake ]] || exit 1; echo installed'
dev test
check 'what is missing is installed, and only that' \
  grep -qE '(apt-get|sudo .*apt-get) install .* cmake$' notes
program tools/dpkg-query '[[ ${*: -1} != clang ]] || { echo not-installed; exit; }; echo installed'
dev test
check 'what was removed is installed again' grep -qE 'apt-get install .* clang$' notes

fresh_tree
program build/bin/aqueductd 'echo "node $*"'
program tools/kcat 'exit 0'
dev run --listen 127.0.0.1:0
check 'run starts the node with its arguments' ends 0 'node --data-dir ./data --listen 127.0.0.1:0'
check 'the commands that run shows use only programs of the build' \
  [ -z "$(grep -E '^  ' <<<"$standard_output" | grep -vE 'build/bin/aq ')" ]

fresh_tree
program tests/compatibility/run.sh \
  'echo "java ${AQUEDUCT_COMPAT_JAVA:-none} go ${AQUEDUCT_COMPAT_GO:-no} $*"'
program tools/java 'exit 0'
program tools/go 'exit 0'
dev compat
check 'compat runs the suite that is there' ends 0 'java none go no '
mkdir -p kafka/libs
dev compat --java kafka
check 'compat wants the jars of the tools' [ "$status" -eq 64 ]
check 'compat says which jars it misses' shows 'no kafka-tools-*.jar in kafka, nor in kafka/libs'
dev compat --java nowhere
check 'compat wants a folder' [ "$status" -eq 64 ]
touch kafka/libs/kafka-tools-4.0.0.jar
dev compat --java kafka --go -v test_java
check 'compat takes a distribution of Kafka, and tests' \
  ends 0 "java $scratch/tree/kafka go 1 -v test_java"

fresh_tree
test_program a_test 1 0 0
program tests/compat/run.sh 'echo "x is not tested: there is no y"' 'echo "2 passed, 0 failed"'
dev test
check 'what a script skipped is said' shows '        x is not tested: there is no y'
check 'and does not count' ends 0 '4 passed, 0 failed'
program build/tests/a_test "echo 'tests/a/a_test.cpp:27: MESSAGE: y is not tested: there is no z'" \
  "echo '[doctest] test cases: 1 | 1 passed | 0 failed | 2 skipped'"
dev test a_test
check 'what a test program skipped is said' shows $'\n        y is not tested: there is no z'
check 'and so is what it was told to skip' \
  shows 'what is marked to be skipped is not tested: 2 test cases'
check 'neither counts' ends 0 '1 passed, 0 failed'

fresh_tree
program tests/integration/run.sh 'echo "aq $AQUEDUCT_SLOW_TESTS $AQUEDUCT_SLOW_RECORDS $*"'
program build/tests/client_node_test 'echo "client $AQUEDUCT_SLOW_RECORDS"'
dev soak
check 'soak sends ten million records by aq' shows 'aq 1 10000000 test_aq_files.Volume'
check 'soak sends as many by the client library' ends 0 'client 10000000'
dev soak 5
check 'soak takes a number of records' ends 0 'client 5'
dev soak many
check 'soak wants a number' [ "$status" -eq 64 ]

fresh_tree
program build/tests/simulation_test \
  'echo "groups ${AQUEDUCT_SEEDS:-none} clusters ${AQUEDUCT_CLUSTER_SEEDS:-none}"'
dev sim
check 'sim lives 5,000 lives, a fifth of them of clusters' \
  shows $'groups 1-4000 clusters none\ngroups none clusters 1-1000'
dev sim --schedules 10
check 'sim takes a number of lives' \
  shows $'groups 1-8 clusters none\ngroups none clusters 1-2'
dev sim --seed 7
check 'sim repeats a seed' ends 0 'groups 7-7 clusters 7-7'
dev sim --seconds 1
check 'sim goes on for so long' [ "$(wc -l <<<"$standard_output")" -ge 2 ]
dev sim --seed x
check 'sim wants a number' [ "$status" -eq 64 ]
dev sim --speed 5
check 'sim refuses what it does not know' [ "$status" -eq 64 ]
program build/tests/simulation_test 'exit 1'
dev sim --seconds 1000
check 'sim ends with the first life that breaks a promise' [ "$status" -eq 1 ]

# A node that says its settings, and stops when it is told; and what kill-leader asks.
fresh_tree
stay=('trap "exit 0" TERM' 'exec 3<> <(:)' 'while :; do read -r -t 0.2 <&3 || true; done')
program build/bin/aqueductd 'echo "ready $*"' "${stay[@]}"
program build/bin/aq "echo \"aq \$*\" >>'$scratch/tree/asked'" \
  'case $* in *describe*) printf "0,3\n1,2\n2,\n" ;; *) cat >>sent ;; esac'
sed -i 's/^cluster_restart_seconds=3 /cluster_restart_seconds=0 /' dev

# start_cluster: ./dev cluster in the background, its output in `cluster.log`.
start_cluster() {
  : >cluster.log
  PATH="$scratch/tree/tools:$PATH" ./dev cluster >>cluster.log 2>&1 &
  cluster=$!
}
# says COUNT PATTERN: waits until the cluster has said it so often.
says() {
  local lines
  lines=$(timeout 30 grep -m "$1" "$2" < <(exec tail -n +1 --pid=$$ -f cluster.log)) &&
    [[ $(wc -l <<<"$lines") -eq $1 ]]
}
# cluster_ends STATUS: tells it to stop, and waits for the end.
cluster_ends() {
  local ended=0
  kill "$cluster" 2>/dev/null || true
  wait "$cluster" || ended=$?
  output=$(cat cluster.log)
  ((ended == $1)) && ! pgrep -f "$scratch/tree/build/bin/aqueductd" >/dev/null
}

start_cluster
check 'cluster starts three nodes with their files and puts their names in front' \
  says 1 '^node-3 | ready --config config/cluster-3/node-3.toml$'
check 'each of them' says 3 '^node-[123] | ready'
check 'cluster says where clients and operators connect, and what kills a leader' \
  grep -q 'dev cluster kill-leader orders' cluster.log
dev cluster
check 'there is one cluster at a time' shows 'runs already'
killed=$(cat data/node-2.pid)
dev cluster kill-leader orders:1
check 'kill-leader says how long there was nobody' shows 'a record is acknowledged again after'
check 'kill-leader kills the leader of that partition' shows 'killed node-2, the leader of orders:1'
check 'kill-leader sends to that partition' grep -q 'produce orders --partition 1$' asked
check 'the record is sent after the end' grep -q 'after node-2 was killed' sent
check 'a node that was killed is started again' says 2 '^node-2 | ready'
check 'as another process' [ "$killed" != "$(cat data/node-2.pid)" ]
dev cluster kill-leader orders:2
check 'a partition without a leader is said' shows 'nobody leads orders:2'
dev cluster kill-leader orders:x
check 'kill-leader wants a topic or a partition' [ "$status" -eq 64 ]
dev cluster stop
check 'cluster knows nothing else' [ "$status" -eq 64 ]
kill "$(cat data/node-1.pid)"
check 'a node that was stopped stays away' says 1 'node-1 was stopped'
check 'what is told to stop stops all nodes' cluster_ends 0
check 'nothing is left of them' [ -z "$(ls data/*.pid 2>/dev/null)" ]
dev cluster kill-leader orders
check 'without a cluster there is nobody to kill' shows 'was not started by ./dev cluster'

program build/bin/aqueductd 'case $* in *node-2*) echo broken; exit 73 ;; esac' \
  "${stay[@]}"
start_cluster
check 'a node that fails is named with its status' says 1 'node-2 ended with status 73'
check 'and ends the cluster' cluster_ends 1

# The same with real nodes, on ports below those that other tests share out.
fresh_tree
mkdir config
cp -r "$top/config/cluster-3" config/
ln -s "$top/build/bin" build/bin
sed -i -E 's/(127\.0\.0\.1:)1([123])09/\17\29/g' config/cluster-3/*.toml
sed -i -E 's/(127\.0\.0\.1:)1(\$\{1\})09/\17\29/' dev
real_aq() { build/bin/aq -b 127.0.0.1:7192,127.0.0.1:7292,127.0.0.1:7392 "$@"; }
# dead_leader: the node that kill-leader said it killed.
dead_leader() { grep -oE 'killed node-[123], the leader of orders:0' <<<"$output" | cut -c13; }
start_cluster
check 'three real nodes become ready' says 3 '^node-[123] | ready'
check 'they are one cluster' real_aq topic create orders -p 1 -r 3 >/dev/null
seq 1000 | real_aq -q produce orders
dev cluster kill-leader orders
check 'a real leader is killed, and another takes a record' \
  grep -qxE 'a record is acknowledged again after [0-9]+ ms' <<<"$output"
check 'the node that was killed is ready again' says 4 '^node-[123] | ready'
check 'it was the one that led' says 2 "^node-$(dead_leader) | ready"
real_aq -q consume orders -o beginning -e >records
check 'nothing is lost, and the record comes last' \
  diff records <(seq 1000 && echo "sent after node-$(dead_leader) was killed")
check 'the real nodes stop as they are told' cluster_ends 0

dev nonsense
check 'an unknown verb is wrong usage' [ "$status" -eq 64 ]
dev help
check 'help names the two commands of the first minute' shows 'run [ARGUMENTS]'

echo "$passed passed, $failed failed"
((failed == 0))

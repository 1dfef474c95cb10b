#!/usr/bin/env bash
# Runs what README.md tells people to type: the lines of its `sh` blocks. Those with `build/bin/`
# run against a node of this test; those with `./dev` are held against the verbs that `./dev help`
# lists. Needs a release build in build/.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/support/node.sh
source tests/support/node.sh

passed=0
failed=0
work=$(mktemp -d)

clean_up() {
  kill_node
  rm -rf "$work"
}
trap clean_up EXIT

# check SENTENCE COMMAND...: one test case.
check() {
  local sentence=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED: %s\n' "$sentence"
  fi
}

# The lines of all blocks marked `sh`.
readme_lines() {
  awk '/^```sh$/ {inside = 1; next} /^```$/ {inside = 0} inside' README.md
}

known_verb() {
  local verb=${1#./dev }
  ./dev help | grep -qE "^  ${verb%% *}( |$)"
}

prints_hello() {
  grep -qx hello "$work/output"
}

check "a node starts for the README's commands" start_node "$work"
count=0
while IFS= read -r line; do
  count=$((count + 1))
  case $line in
    ./dev*) check "README: \`$line\` is a verb of ./dev" known_verb "$line" ;;
    *) check "README: \`$line\` works" timeout 60 bash -c "$line" >>"$work/output" ;;
  esac
done < <(readme_lines)
check "the README shows commands" test "$count" -ge 4
check "what the README produces is what it consumes" prints_hello
check "the node of the README's commands stops cleanly" stop_node

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]

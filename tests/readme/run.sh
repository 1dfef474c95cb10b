#!/usr/bin/env bash
# Runs what the READMEs tell people to type: the lines of their `sh` blocks. Those with `build/bin/`
# run against a node of this test, after a line that builds the program; those with `./dev` are held
# against the verbs that `./dev help` lists. Needs a release build in build/.
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

# readme_lines FILE: the lines of all blocks marked `sh`.
readme_lines() {
  awk '/^```sh$/ {inside = 1; next} /^```$/ {inside = 0} inside' "$1"
}

known_verb() {
  local verb=${1#./dev }
  ./dev help | grep -qE "^  ${verb%% *}( |$)"
}

prints_hello() {
  grep -qx hello "$work/output"
}

# is_built LINE: whether the programs of the line are there after the `./dev` lines before it.
is_built() {
  local program
  [[ $built != all ]] || return 0
  while IFS= read -r program; do
    [[ " $built " == *" $program "* ]] || return 1
  done < <(grep -oE 'build/bin/[a-z_-]+' <<<"$1" | sed 's,.*/,,')
}

# follow FILE LINES_MIN: does what the file says; it shows at least so many lines.
follow() {
  local file=$1 line count=0 built=
  while IFS= read -r line; do
    count=$((count + 1))
    case $line in
      ./dev*)
        check "$file: \`$line\` is a verb of ./dev" known_verb "$line"
        case $line in
          './dev build') built=all ;;
          './dev run') [[ $built == all ]] || built='aq aqueductd' ;;
          *'&') check "$file: \`$line\` does not start a race" false ;;
        esac
        ;;
      *kcat*)
        check "$file: \`$line\` works" \
          timeout 60 bash -c "${line//127.0.0.1:9092/$AQUEDUCT_BROKER}" >>"$work/output"
        ;;
      *)
        check "$file: \`$line\` comes after what builds it" is_built "$line"
        check "$file: \`$line\` works" \
          timeout 60 bash -c "${line//127.0.0.1:9092/$AQUEDUCT_BROKER}" >>"$work/output"
        ;;
    esac
  done < <(readme_lines "$file")
  check "$file shows commands" test "$count" -ge "$2"
}

check "a node starts for the README's commands" start_node "$work"
follow README.md 6
follow docs/kafka.md 2
follow apps/examples/README.md 10
check "what the README produces is what it consumes" prints_hello
check "what kcat produces is what it consumes" grep -qx 'hello from kcat' "$work/output"
check "the node of the README's commands stops cleanly" stop_node

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]

#!/bin/sh
# Runs every fuzz target for SECONDS each, starting from a copy of its corpus, and fails on a
# finding, whose input it leaves behind and names.
#   cmake --preset fuzz && cmake --build --preset fuzz --target fuzz
#   tests/fuzz/run.sh SECONDS [NAME...]
# FUZZ_BUILD: the build folder (default: build/fuzz). FUZZ_WORK: where grown corpora and findings
# go (default: a new folder under /tmp, removed when there is no finding).
set -eu

if [ $# -lt 1 ]; then
  echo "usage: $0 SECONDS [NAME...]" >&2
  exit 2
fi
seconds=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
build=${FUZZ_BUILD:-$here/../../build/fuzz}
keep=${FUZZ_WORK:+yes}
work=${FUZZ_WORK:-$(mktemp -d)}
mkdir -p "$work"

if [ $# -eq 0 ]; then
  for source in "$here"/*_fuzz.cpp; do
    set -- "$@" "$(basename "$source" _fuzz.cpp)"
  done
fi

failed=""
for name in "$@"; do
  mkdir -p "$work/$name"
  if [ -d "$here/corpus/$name" ]; then
    cp -r "$here/corpus/$name/." "$work/$name/"
  fi
  echo "$name: $seconds s"
  if ! "$build/fuzz/${name}_fuzz" -max_total_time="$seconds" -malloc_limit_mb=64 \
       -rss_limit_mb=1024 -timeout=5 -print_final_stats=1 -artifact_prefix="$work/$name-" \
       "$work/$name" >"$work/$name.log" 2>&1; then
    failed="$failed $name"
    tail -n 60 "$work/$name.log"
  fi
  grep -E 'number_of_executed_units|peak_rss_mb' "$work/$name.log" || true
done

if [ -n "$failed" ]; then
  echo "findings in:$failed; inputs and logs are in $work" >&2
  exit 1
fi
if [ -z "$keep" ]; then
  rm -rf "$work"
fi

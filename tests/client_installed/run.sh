#!/usr/bin/env bash
# Installs the client library into a scratch folder, builds a user's program against it by CMake
# package (shared and static) and by pkg-config, and runs each of them against a node and without
# one. Needs a build in build/, whose compiler and sanitizers it uses too.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/support/node.sh
source tests/support/node.sh
source_dir=$PWD/tests/client_installed

passed=0
failed=0
work=$(mktemp -d)

clean_up() {
  kill_node
  rm -rf "$work"
}
trap clean_up EXIT

# check SENTENCE COMMAND...: one test case; shows what the command said if it fails.
check() {
  local sentence=$1
  shift
  if "$@" >"$work/output" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED: %s\n' "$sentence"
    cat "$work/output"
  fi
}

cache_entry() { sed -nE "s/^$1:[A-Z]+=//p" build/CMakeCache.txt; }

install_client() {
  local component
  for component in client client_dev; do
    cmake --install build --component "$component" --prefix "$work/prefix"
  done
  library=$(find "$work/prefix" -name 'libaqueduct-client.so.0')
  [ -n "$library" ]
}

build_by_cmake() {
  cmake -G Ninja -S "$source_dir" -B "$work/sample" -DCMAKE_PREFIX_PATH="$work/prefix" \
    -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="$flags"
  cmake --build "$work/sample" --parallel 2
}

build_by_pkg_config() {
  local found
  PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name aqueduct-client.pc)")
  export PKG_CONFIG_PATH
  read -ra found < <(pkg-config --cflags --libs aqueduct-client)
  # shellcheck disable=SC2086 # the flags are words
  "$compiler" -std=c++20 -Wall -Wextra -Werror $flags "$source_dir/sample.cpp" \
    -o "$work/by_pkg_config" "${found[@]}"
}

exports_only_its_own() {
  nm -D --defined-only -C "$library" >"$work/exports"
  grep -q 'aqueduct::client::producer::send' "$work/exports" &&
    ! grep -E 'boost::|ZSTD_|aqueduct::protocol::|_core::|broker_link' "$work/exports"
}

# Users need none of the libraries that Aqueduct is made with.
headers_show_no_library() {
  local folder=$1/include
  grep -rq 'class AQUEDUCT_CLIENT_API producer' "$folder" &&
    ! grep -rnE '#include *[<"](caf|boost|asio|rocksdb)\b|\b(caf|boost|asio|rocksdb)::' "$folder"
}

compiler=$(cache_entry CMAKE_CXX_COMPILER)
sanitizers=$(cache_entry AQUEDUCT_SANITIZE)
flags=${sanitizers:+-fsanitize=$sanitizers}

check "the client library installs" install_client
check "a program builds against the CMake package" build_by_cmake
check "a program builds against the pkg-config file" build_by_pkg_config
check "the shared library exports its own classes and nothing else" exports_only_its_own
check "the headers show no CAF, Boost, Asio or RocksDB" headers_show_no_library "$work/prefix"
check "a node starts for the programs" start_node "$work"
LD_LIBRARY_PATH=$(dirname "$library")
export LD_LIBRARY_PATH
for program in sample/sample sample/sample_static by_pkg_config; do
  check "$program says that no broker answers" "$work/$program"
  check "$program reads back what it stored" "$work/$program" "$AQUEDUCT_BROKER"
done
check "the node stops cleanly" stop_node

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]

#!/usr/bin/env bash
# Holds the README against a bare Debian 12, a root that debootstrap made: a clone of what is
# committed here is built there by `./dev run`, README's first commands work, the node stops
# cleanly, and then `./dev test` runs, whose last line and status are this script's. Wants root, a
# network, and debootstrap if the root is still to be made.
#   tests/bare/bare.sh [--run-only] [DIR]
# DIR is such a root, made there if nothing is there yet, and kept; without DIR it is made for this
# run. What is mounted and started is in namespaces of its own, which go with this script however it
# ends.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

suite=bookworm
version=12
start_seconds=7200 # installs and builds on the way
verb_seconds=60
stop_seconds=60
wanted=$'hello\nhello\nhello from kcat'

say() { printf 'bare: %s\n' "$*" >&2; }
die() {
  say "$1"
  exit "${2:-1}"
}

# is_root DIR: debootstrap has ended there.
is_root() { [[ -f $1/var/lib/dpkg/status && ! -d $1/debootstrap ]]; }

# -- in the namespaces --------------------------------------------------------

make_root() {
  say "making a Debian $version in $directory"
  debootstrap --variant=minbase "$suite" "$directory" >"$scratch/debootstrap.log" 2>&1 ||
    die "debootstrap failed:"$'\n'"$(tail -n 20 "$scratch/debootstrap.log")"
}

# Not by chroot: from there nobody may make the namespaces that tests of full disks want.
enter_root() {
  mount --rbind "$directory" "$directory" # with what is mounted there, a cache say
  mount -t proc proc "$directory/proc"
  mount --rbind /sys "$directory/sys"
  mount --rbind /dev "$directory/dev" # with pts and shm
  mount --bind "$scratch" "$directory/tmp"
  cp -L /etc/resolv.conf "$directory/etc/resolv.conf"
  cd "$directory"
  pivot_root . .
  umount -l .
  cd /root
  scratch=/tmp
}

# Fills `bare`: what runs lines of shell without anything of the environment outside, but for the
# way to the network.
forget_environment() {
  local name
  bare=(env -i HOME=/root LANG=C.UTF-8
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
  for name in http_proxy https_proxy no_proxy; do
    [[ -z ${!name:-} ]] || bare+=("$name=${!name}")
  done
  bare+=(bash -euc)
}

# What the README takes for granted: a checkout, and kcat for those who use it.
clone() {
  "${bare[@]}" 'export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends git kcat' \
    >"$scratch/apt.log" 2>&1 || die "apt failed:"$'\n'"$(tail -n 20 "$scratch/apt.log")"
  rm -rf aqueduct
  "${bare[@]}" "git -c advice.detachedHead=false clone -q $scratch/aqueduct.bundle aqueduct"
  cd aqueduct
}

# The commands of the README's `sh` blocks until `./dev test`, but for those to `dev`.
first_commands() {
  awk '/^```sh$/ {inside = 1; next} /^```$/ {inside = 0} inside' README.md |
    sed '/^\.\/dev test/,$d' | grep -v '^\./dev '
}

is_ready() {
  timeout "$start_seconds" grep -q '^ready ' \
    < <(exec tail -n +1 --pid="$node" -f "$scratch/run.log" 2>/dev/null)
}

try_run() {
  local line got=''
  say "./dev run"
  "${bare[@]}" 'exec ./dev run' >"$scratch/run.log" 2>&1 &
  node=$!
  is_ready || die "./dev run did not come to a node that is ready:"$'\n'"$(cat "$scratch/run.log")"
  while IFS= read -r line; do
    say "$line"
    got+=$(timeout "$verb_seconds" "${bare[@]}" "$line" </dev/null) || die "failed: $line"
    got+=$'\n'
  done < <(first_commands)
  got=$(sed '/^$/d' <<<"$got") # of those that print nothing
  [[ $got == "$wanted" ]] ||
    die "README's commands printed"$'\n'"$got"$'\n'"instead of"$'\n'"$wanted"
  stop_node
  say "./dev run and README's first commands work"
}

stop_node() {
  local status=0
  kill "$node"
  timeout "$stop_seconds" tail --pid="$node" -f /dev/null ||
    die "the node did not stop:"$'\n'"$(tail -n 20 "$scratch/run.log")"
  wait "$node" || status=$?
  ((status == 0)) ||
    die "the node ended with status $status:"$'\n'"$(tail -n 20 "$scratch/run.log")"
}

# inside RUN_ONLY DIRECTORY SCRATCH
inside() {
  local run_only=$1
  directory=$2
  scratch=$3
  is_root "$directory" || make_root
  enter_root
  forget_environment
  clone
  try_run
  [[ $run_only == no ]] || return 0
  say "./dev test"
  "${bare[@]}" 'exec ./dev test' </dev/null
}

# -- outside ------------------------------------------------------------------

# Ends what holds the namespaces; their first process goes with it, all others with that, and then
# their mounts.
clean_up() {
  local first=''
  trap '' INT TERM
  if [[ -n $namespaces ]]; then
    read -r first 2>/dev/null <"/proc/$namespaces/task/$namespaces/children" || true
    kill -KILL "$namespaces" 2>/dev/null || true
    wait "$namespaces" 2>/dev/null || true
    [[ -z $first ]] || tail --pid="$first" -f /dev/null
  fi
  rm -rf --one-file-system "$scratch"
  [[ $keep == yes ]] || rm -rf --one-file-system "$directory"
}

outside() {
  local run_only=no status=0 word
  directory=
  for word in "$@"; do
    case $word in
      --run-only) run_only=yes ;;
      -*) die "bare knows only --run-only" 64 ;;
      *)
        [[ -z $directory ]] || die "bare wants one folder" 64
        directory=$(realpath -m "$word") ;;
    esac
  done
  [[ $directory != / ]] || die "/ is no root to try things in" 64
  ((EUID == 0)) || die "only root may make a Debian and mount in it; try sudo"
  if [[ -z $directory ]] || ! is_root "$directory"; then
    command -v debootstrap >/dev/null ||
      die "there is no debootstrap to make a Debian with: apt-get install debootstrap"
    [[ -z $(ls -A "$directory" 2>/dev/null) ]] ||
      die "$directory is neither a Debian that debootstrap finished nor empty" 64
  else
    grep -q "^$version" "$directory/etc/debian_version" || die "$directory is no Debian $version" 64
  fi
  [[ -z $(git status --porcelain) ]] || say "what is not committed is left out"

  namespaces=
  keep=yes
  scratch=$(mktemp -d --tmpdir=/var/tmp)
  trap clean_up EXIT
  trap 'exit 130' INT TERM
  chmod 1777 "$scratch"
  git bundle create -q "$scratch/aqueduct.bundle" HEAD
  if [[ -z $directory ]]; then
    directory=$(mktemp -d --tmpdir=/var/tmp)
    chmod 755 "$directory"
    keep=no
  fi
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child \
    tests/bare/bare.sh --inside "$run_only" "$directory" "$scratch" &
  namespaces=$!
  wait "$namespaces" || status=$?
  namespaces=
  exit "$status"
}

if [[ ${1:-} == --inside ]]; then
  shift
  inside "$@"
else
  outside "$@"
fi

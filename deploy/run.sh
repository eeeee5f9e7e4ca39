#!/usr/bin/env bash
# A head-end with simulated gateways on this machine: installs what is missing, builds, starts, prints address and login.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'TEXT'
usage: deploy/run.sh [--dir DIR] [--port N] [--days N] [--no-install] [--no-portal]

  --dir DIR     where everything lives (/var/lib/emt-demo as root, else ~/.local/share/emt-demo)
  --port N      HTTPS; the field channel listens on N-1000 and N-999, metrics on 127.0.0.1:N+1000 (8443)
  --days N      days of history that the gateways bring along, 1 to 90 (30)
  --no-install  install nothing
  --no-portal   do not build the portal (it needs npm's registry); REST is there all the same

Installs Debian packages (compilers, libraries, PostgreSQL, Node.js; it says which before it does), builds build/release and the portal,
and starts emtd with a private PostgreSQL and the tenant "Demo Stadtwerke": three simulated gateways with 60 meters, their history, market
locations and an MSCONS file of yesterday. Then it prints address, user and password. Ctrl-C ends everything; the next start goes on with
what is there. Removing DIR removes the demo. Not for production: docs/operations.md.
TEXT
}

die() { echo "error: $*" >&2; exit 1; }

dir='' port=8443 days=30 install=1 portal=1
while [ $# -gt 0 ]; do
    case $1 in
    --dir | --port | --days)
        [ $# -gt 1 ] || { echo "deploy/run.sh: $1 needs a value" >&2; exit 2; }
        declare "${1#--}=$2"
        shift ;;
    --no-install) install= ;;
    --no-portal) portal= ;;
    -h | --help) usage; exit 0 ;;
    *) echo "deploy/run.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done
number() { [[ $2 =~ ^[0-9]{1,5}$ ]] && [ "$2" -ge "$3" ] && [ "$2" -le "$4" ] || { echo "deploy/run.sh: $1 must be $3 to $4" >&2; exit 2; }; }
number --port "$port" 2000 64000
number --days "$days" 1 90
if [ -z "$dir" ]; then
    if [ "$(id -u)" -eq 0 ]; then dir=/var/lib/emt-demo; else dir=${XDG_DATA_HOME:-$HOME/.local/share}/emt-demo; fi
fi

# What would otherwise end in the middle of something, with words of somebody else.
[ -r /proc/self/status ] && [ -e /dev/fd/0 ] || die "/proc or /dev is not mounted; programs need both (mount -t proc proc /proc)"
free_mib() { df -Pm "$1" 2>/dev/null | awk 'NR == 2 { n = $4 } END { print n == "" ? 999999 : n }'; }
there() { local p=$1; until [ -e "$p" ]; do p=$(dirname "$p"); done; echo "$p"; }
[ "$(free_mib .)" -ge 1500 ] || die "$PWD has $(free_mib .) MiB free; building needs 1500"
[ "$(free_mib "$(there "$dir")")" -ge 1000 ] || die "$dir has $(free_mib "$(there "$dir")") MiB free; the demo needs 1000 (--dir puts it elsewhere)"
memory=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo 2>/dev/null || echo 4096)
[ "$memory" -ge 700 ] || die "only $memory MiB of memory are free; the demo needs 700"
mkdir -p build/tmp || die "$PWD cannot be written to: clone it to a folder of yours"
printf '#!/bin/sh\n' >build/tmp/may-run && chmod 755 build/tmp/may-run
build/tmp/may-run 2>/dev/null || die "programs may not run in $PWD (mounted noexec?): clone it to another folder"
# Temporary files stay here: /tmp may be small, or forbid programs.
export TMPDIR=$PWD/build/tmp

# shellcheck source=deploy/install.sh
. deploy/install.sh
# Before a long build rather than after it.
if command -v python3 >/dev/null; then
    python3 deploy/demo.py --check --dir "$dir" --port "$port" || exit 1
fi
kinds=(build run)
[ -z "$portal" ] || kinds+=(portal)
[ -z "$install" ] || emt_install "${kinds[@]}" || exit 1

bin=$PWD/build/release
# A compiler takes half a gigabyte at most.
jobs=$(nproc)
[ "$jobs" -le $((memory / 500)) ] || jobs=$((memory / 500))
[ "$jobs" -ge 1 ] || jobs=1
# Tests need further packages; the demo does not.
[ -f "$bin/CMakeCache.txt" ] || emt_long "configuring" cmake --preset release -DEMT_TESTS=OFF -DEMT_WERROR=OFF || exit 1
emt_long "building emtd, emtctl and emt-agent (the first time a minute or two)" \
    cmake --build --preset release -j "$jobs" --target emtd emt-agent emtctl || exit 1
if [ -n "$portal" ]; then
    emt_long "building the portal" cmake --build --preset release --target portal ||
        die "without the portal: deploy/run.sh --no-portal"
fi
EMT_ELAPSED=$SECONDS exec python3 deploy/demo.py --dir "$dir" --port "$port" --days "$days" --bin "$bin"

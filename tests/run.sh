#!/usr/bin/env bash
# Installs what tests need, builds, runs every test. The README's second command, and what CI runs.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'TEXT'
usage: tests/run.sh [--full] [--no-install] [--quick]

Installs the Debian packages of tests/packages.txt that are missing, builds build/release, build/asan and the portal from scratch, and runs
unit tests, fuzz corpora, layering, the portal's own checks and the end-to-end tests (each starts and stops its own PostgreSQL), the
portal in a browser and the packages among them.

  --full        long variants: 200 crashes instead of 20, fuzzers for a minute instead of ten seconds each, corpora scored, packages in a fresh system
  --quick       release build only, kept from the last run; no sanitizers
  --no-install  install nothing
  --no-portal   neither build nor test the portal (it needs npm's registry, once)

Corpora of real telegrams are read from $EMT_CORPORA, else from ../shared/corpora where that exists, else those tests say skipped.
TEXT
}

full='' quick='' install=1 portal=1
for arg in "$@"; do
    case $arg in
    --full) full=1 ;;
    --quick) quick=1 ;;
    --no-install) install= ;;
    --no-portal) portal= ;;
    -h | --help) usage; exit 0 ;;
    *) echo "tests/run.sh: unknown option $arg" >&2; usage >&2; exit 2 ;;
    esac
done

# shellcheck source=deploy/install.sh
. deploy/install.sh
kinds=(build run test)
[ -z "$portal" ] || kinds+=(portal)
[ -z "$install" ] || emt_install "${kinds[@]}" || exit 1
[ -n "${EMT_CORPORA:-}" ] || { [ -d ../shared/corpora ] && EMT_CORPORA=$(cd ../shared/corpora && pwd); } || true
export EMT_CORPORA="${EMT_CORPORA:-}"
export EMT_FULL="$full"
jobs=$(nproc)
# Tests wait more than they compute: for servers, for time.
tests=$((2 * jobs))
# Tells what is worth telling; a build that fails ends the run.
build() { cmake --build "$@" | { grep -vE '^\[|^$|Built target' || true; }; }
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
step() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }

fresh=--fresh
[ -z "$quick" ] || fresh=
if [ -z "$quick" ]; then
    step "build with sanitizers"
    cmake --preset asan $fresh >/dev/null
    build --preset asan -j "$jobs"
    step "unit tests and fuzz corpora with sanitizers"
    ctest --preset asan -L 'unit|fuzz' -j "$tests" --output-on-failure
fi

step "build"
cmake --preset release $fresh >/dev/null
build --preset release -j "$jobs"

if [ -n "$portal" ]; then
    step "portal"
    [ -n "$quick" ] || rm -rf admin-ui/dist
    build --preset release --target portal
    npm --prefix admin-ui run --silent lint &
    lint=$!
    npm --prefix admin-ui run --silent test
    wait "$lint"
    npm --prefix admin-ui run --silent size
fi

# Fuzzers take what the tests leave of the processors.
fuzz=''
if [ -n "$full" ]; then
    step "fuzzers, a minute each, beside every test"
    nice -n 5 tests/fuzz/run --seconds 60 >build/fuzz.log 2>&1 &
    fuzz=$!
elif [ -z "$quick" ]; then
    step "fuzzers, ten seconds each, beside every test"
    nice -n 5 tests/fuzz/run --seconds 10 >build/fuzz.log 2>&1 &
    fuzz=$!
fi
step "every test"
good=1
ctest --preset release -j "$tests" --output-on-failure || good=
if [ -n "$fuzz" ]; then
    step "what the fuzzers say"
    wait "$fuzz" || good=
    cat build/fuzz.log
fi
step "done"
[ -n "$good" ]

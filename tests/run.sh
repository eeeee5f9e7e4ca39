#!/usr/bin/env bash
# Installs what tests need, builds, runs every test. The README's second command, and what CI runs.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'TEXT'
usage: tests/run.sh [--full] [--no-install] [--quick]

Installs the Debian packages of tests/packages.txt that are missing, builds build/release and build/asan from scratch, and runs
unit tests, fuzz corpora, layering and the end-to-end tests (each starts and stops its own PostgreSQL).

  --full        long variants: 200 crashes instead of 20, fuzzers for a minute each, corpora scored
  --quick       release build only, kept from the last run; no sanitizers
  --no-install  install nothing

Corpora of real telegrams are read from $EMT_CORPORA, else from ../shared/corpora where that exists, else those tests say skipped.
TEXT
}

full= quick= install=1
for arg in "$@"; do
    case $arg in
    --full) full=1 ;;
    --quick) quick=1 ;;
    --no-install) install= ;;
    -h | --help) usage; exit 0 ;;
    *) echo "tests/run.sh: unknown option $arg" >&2; usage >&2; exit 2 ;;
    esac
done

# shellcheck source=deploy/install.sh
. deploy/install.sh
[ -z "$install" ] || emt_install build run test
[ -n "${EMT_CORPORA:-}" ] || { [ -d ../shared/corpora ] && EMT_CORPORA=$(cd ../shared/corpora && pwd); } || true
export EMT_CORPORA="${EMT_CORPORA:-}"
export EMT_FULL="$full"
jobs=$(nproc)
step() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }

fresh=--fresh
[ -z "$quick" ] || fresh=
if [ -z "$quick" ]; then
    step "build with sanitizers"
    cmake --preset asan $fresh >/dev/null
    cmake --build --preset asan -j "$jobs" | grep -vE '^\[|^$|Built target' || true
    step "unit tests and fuzz corpora with sanitizers"
    ctest --preset asan -L 'unit|fuzz' -j "$jobs" --output-on-failure
fi

step "build"
cmake --preset release $fresh >/dev/null
cmake --build --preset release -j "$jobs" | grep -vE '^\[|^$|Built target' || true

if [ -n "$full" ]; then
    step "fuzzers, a minute each"
    tests/fuzz/run.sh 60
fi
step "every test"
ctest --preset release -j "$jobs" --output-on-failure
step "done"

#!/usr/bin/env bash
# tests/fuzz/run.sh SECONDS: builds the fuzz targets with clang and runs each for so long, starting from its hex corpus. A finding ends the
# run and leaves its input in build/fuzz/findings.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz -j "$(nproc)" | grep -vE '^\[|^$|Built target' || true
mkdir -p build/fuzz/findings
for target in build/fuzz/tests/fuzz_*; do
    name=${target##*/fuzz_}
    corpus=build/fuzz/corpus/$name
    rm -rf "$corpus" && mkdir -p "$corpus"
    # Seeds are hex text; libFuzzer wants bytes.
    python3 - "$name" "$corpus" <<'PY'
import pathlib, re, sys
name, out = sys.argv[1], pathlib.Path(sys.argv[2])
n = 0
for dir in pathlib.Path('tests/fuzz').glob('*/corpus*'):
    if dir.name not in ('corpus', f'corpus_{name}') and dir.name != name:
        continue
    for path in sorted(p for p in dir.rglob('*') if p.is_file()):
        for line in path.read_text().splitlines():
            text = re.sub(r'\s', '', line.split('#')[0])
            if text:
                (out / f'{n:05d}').write_bytes(bytes.fromhex(text))
                n += 1
PY
    echo "== $name, $seconds s, $(ls "$corpus" | wc -l) seeds"
    "$target" -max_total_time="$seconds" -print_final_stats=1 -rss_limit_mb=2048 -artifact_prefix=build/fuzz/findings/ "$corpus" \
        >"build/fuzz/$name.log" 2>&1 || { tail -n 40 "build/fuzz/$name.log"; exit 1; }
    grep -E 'number_of_executed_units' "build/fuzz/$name.log"
done

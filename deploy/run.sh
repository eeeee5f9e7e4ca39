#!/usr/bin/env bash
# A head-end with simulated gateways on this machine: installs what is missing, builds, starts, prints address and key.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'TEXT'
usage: deploy/run.sh [--dir DIR] [--port N] [--no-install]

  --dir DIR     where everything lives (/var/lib/emt-demo as root, else ~/.local/share/emt-demo)
  --port N      HTTPS; the field channel listens on N-1000 and N-999, metrics on 127.0.0.1:N+1000 (8443)
  --no-install  install nothing

Starts emtd with a private PostgreSQL and a tenant "demo" with three simulated gateways of 20 meters each. Ctrl-C ends everything; the
next start goes on with what is there. Removing DIR removes the demo. Not for production: docs/operations.md.
TEXT
}

die() { echo "error: $*" >&2; exit 1; }

if [ "$(id -u)" -eq 0 ]; then dir=/var/lib/emt-demo; else dir=${XDG_DATA_HOME:-$HOME/.local/share}/emt-demo; fi
port=8443 install=1
while [ $# -gt 0 ]; do
    case $1 in
    --dir | --port)
        [ $# -gt 1 ] || { echo "deploy/run.sh: $1 needs a value" >&2; exit 2; }
        if [ "$1" = --dir ]; then dir=$2; else port=$2; fi
        shift ;;
    --no-install) install= ;;
    -h | --help) usage; exit 0 ;;
    *) echo "deploy/run.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done
[[ $port =~ ^[0-9]+$ ]] && [ "$port" -ge 2000 ] && [ "$port" -le 64000 ] || { echo "deploy/run.sh: --port must be 2000 to 64000" >&2; exit 2; }

# shellcheck source=deploy/install.sh
. deploy/install.sh
[ -z "$install" ] || emt_install build run

bin=$PWD/build/release
echo "building …"
# Tests need further packages; the demo does not.
[ -f "$bin/CMakeCache.txt" ] || cmake --preset release -DEMT_TESTS=OFF >/dev/null
cmake --build --preset release -j "$(nproc)" --target emtd emt-agent emtctl >"${TMPDIR:-/tmp}/emt-build.$$" 2>&1 ||
    { tail -n 30 "${TMPDIR:-/tmp}/emt-build.$$"; die "the build failed"; }
rm -f "${TMPDIR:-/tmp}/emt-build.$$"

umask 077
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
# PostgreSQL runs as a user of its own below this folder.
chmod 755 "$dir"
pids=()
stop_all() {
    trap - INT TERM EXIT
    echo
    echo "stopping …"
    # Gateways first, the server last; each by its own process id.
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        kill -TERM "${pids[i]}" 2>/dev/null || true
        wait "${pids[i]}" 2>/dev/null || true
    done
}
trap stop_all EXIT
trap 'exit 0' INT TERM

url=https://localhost:$port
echo "starting emtd in $dir …"
"$bin/emtd" --embedded "$dir" --port "$port" >"$dir/emtd.log" 2>&1 &
pids+=($!)
for ((i = 0; ; i++)); do
    kill -0 "${pids[0]}" 2>/dev/null || { tail -n 20 "$dir/emtd.log"; die "emtd ended"; }
    if [ -f "$dir/root.pem" ] && curl -fsS -o /dev/null "http://127.0.0.1:$((port + 1000))/readyz" 2>/dev/null; then break; fi
    [ "$i" -lt 600 ] || { tail -n 20 "$dir/emtd.log"; die "emtd is not ready after a minute"; }
    sleep 0.1
done

demo=$dir/demo
mkdir -p "$demo"
# call METHOD PATH [curl arguments]: the answer's body; fails with the problem's text.
call() {
    local method=$1 path=$2 out
    shift 2
    out=$(curl -sS --cacert "$dir/root.pem" -X "$method" -H "Authorization: Bearer ${key:-}" -w '\n%{http_code}' "$@" "$url$path")
    [ "${out##*$'\n'}" -lt 300 ] || die "$method $path: ${out%$'\n'*}"
    printf '%s' "${out%$'\n'*}"
}
# member NAME: of the JSON object on standard input.
member() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

if [ ! -f "$demo/operator-key" ]; then
    one_time=$(sed -n 's/^password: //p' "$dir/first-login")
    head -c 18 /dev/urandom | base64 | tr '+/' '-_' >"$demo/password"
    answer=$(call POST /api/v1/login -d "{\"user\":\"admin\",\"password\":\"$one_time\",\"new_password\":\"$(cat "$demo/password")\"}")
    printf '%s' "$answer" | member api_key >"$demo/operator-key"
fi
key=$(cat "$demo/operator-key")
if [ ! -f "$demo/tenant-key" ]; then
    echo "making the tenant \"demo\" …"
    call POST /api/v1/tenants -d '{"key":"demo","name":"Demo Stadtwerke","own_mp_id":"9900999000106"}' | member api_key >"$demo/tenant-key.new"
    key=$(cat "$demo/tenant-key.new")
    call PATCH /api/v1/tenants/demo -d '{"profile_tolerance_s":450}' >/dev/null
    mv "$demo/tenant-key.new" "$demo/tenant-key"
fi
key=$(cat "$demo/tenant-key")
for n in 1 2 3; do
    folder=$demo/gateway-$n
    if [ ! -f "$folder/agent.yaml" ]; then
        echo "enrolling gateway-$n …"
        (call GET "/api/v1/tenants/demo/gateways/gateway-$n") >/dev/null 2>&1 ||
            call POST /api/v1/tenants/demo/gateways -d "{\"id\":\"gateway-$n\",\"name\":\"Simulated gateway $n\"}" >/dev/null
        e=$(call POST "/api/v1/tenants/demo/gateways/gateway-$n/enrolment")
        rm -rf "$folder"
        "$bin/emt-agent" enrol --server "$url" --token "$(printf '%s' "$e" | member token)" --pin "$(printf '%s' "$e" | member pin)" --dir "$folder" \
            >"$demo/enrol.log" 2>&1 || { cat "$demo/enrol.log"; die "gateway-$n was not enrolled"; }
        "$bin/emt-agent" meters --simulate 20 --seed "$n" |
            call POST /api/v1/tenants/demo/meter-keys -H 'Content-Type: text/csv' --data-binary @- >/dev/null
        backfill=(--backfill 2)
    else
        backfill=()
    fi
    "$bin/emt-agent" run --dir "$folder" --address "127.0.0.1:$((port - 1000))" --simulate 20 --seed "$n" --interval 300 "${backfill[@]}" \
        >"$demo/gateway-$n.log" 2>&1 &
    pids+=($!)
done

cat <<TEXT

  address   $url
  key       $key
  operator  user admin, password in $demo/password
  CA        $dir/root.pem

  curl --cacert $dir/root.pem -H "Authorization: Bearer $key" $url/api/v1/tenants/demo/devices

Ctrl-C ends the demo.
TEXT
# Any of them ending by itself is a fault worth seeing.
wait -n "${pids[@]}" || true
kill -0 "${pids[0]}" 2>/dev/null || tail -n 5 "$dir/emtd.log" >&2
die "a process ended by itself; see the logs in $dir and $demo"

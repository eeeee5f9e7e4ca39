#!/bin/sh
# emtd as a whole: first start, a second node on the same database, kill -9 of PostgreSQL and of emtd, reload, orderly end.
# usage: test_emtd.sh EMTD MIGRATIONS
set -u
emtd=$1
migrations=$2
work=$(mktemp -d)
dir=$work/emt
first= second=

fail() {
    echo "FAILED: $*"
    tail -n 20 "$work"/*.err
    exit 1
}

clean() {
    for pid in $first $second; do kill -KILL "$pid" 2>/dev/null; done
    [ -s "$dir/pg/data/postmaster.pid" ] && kill -QUIT "$(head -n 1 "$dir/pg/data/postmaster.pid")" 2>/dev/null
    sleep 0.3
    rm -rf "$work"
}
trap clean EXIT

ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { echo "skipped: no PostgreSQL server"; exit 77; }
command -v curl >/dev/null || { echo "skipped: no curl"; exit 77; }

wait_for() { # SECONDS COMMAND...
    limit=$(($1 * 10)); shift
    while ! "$@" >/dev/null 2>&1; do
        limit=$((limit - 1))
        [ $limit -gt 0 ] || return 1
        sleep 0.1
    done
}

start_first() {
    rm -f "$work/first.out" # else the words of the one before it are taken for this one's
    "$emtd" --embedded "$dir" --port 0 --migrations "$migrations" >"$work/first.out" 2>"$work/first.err" &
    first=$!
    wait_for 60 grep -q 'is running' "$work/first.out" || fail "no start"
    port=$(sed -n 's/.*metrics, health *port \([0-9]*\).*/\1/p' "$work/first.out")
    url=$(sed -n 's/^url: //p' "$dir/first-login")
}
is_ready() { [ "$(curl -s "http://127.0.0.1:$1/readyz")" = ready ]; }
ended() { ! kill -0 "$1" 2>/dev/null; }

start_first
is_ready "$port" || fail "not ready after the start"
[ "$(stat -c %a "$dir/first-login")" = 600 ] || fail "first-login is open to others"
password=$(sed -n 's/^password: //p' "$dir/first-login")
grep -q "$password" "$work/first.out" || fail "the one-time password is not printed"
https=${url##*:}
curl -sk "https://127.0.0.1:$https/healthz" | grep -q ok || fail "no /healthz on the public port"
curl -s "http://127.0.0.1:$port/healthz" | grep -q alive || fail "no /healthz"
curl -s "http://127.0.0.1:$port/metrics" | grep -q '^emt_node_alive 1' || fail "no metrics"
curl -sk "https://127.0.0.1:$https/metrics" | grep -q emt_ && fail "metrics on the public port"

"$emtd" --embedded "$dir" --port 0 --migrations "$migrations" >/dev/null 2>"$work/twice.err" && fail "two in one folder"
grep -q 'another emtd' "$work/twice.err" || fail "no word of the other emtd"

"$emtd" --embedded "$dir" --print-config --port 0 >"$work/second.yaml" || fail "print-config"
"$emtd" --config "$work/second.yaml" --check-config >/dev/null || fail "the printed configuration is not good"
grep -q 'private_networks: true' "$work/second.yaml" || fail "a machine of its own does not deliver to its neighbours"
printf 'delivery:\n  root: /somewhere\n  private_networks: false\n' >"$dir/emtd.yaml"
"$emtd" --embedded "$dir" --print-config --port 0 >"$work/closed.yaml" || fail "print-config with a file"
rm "$dir/emtd.yaml"
grep -q 'private_networks: false' "$work/closed.yaml" || fail "what the file says of deliveries does not count"
grep -q 'root: "/somewhere"' "$work/closed.yaml" || fail "the file's folder of deliveries does not count"
echo 'gardener: 1' >>"$work/second.yaml"
"$emtd" --config "$work/second.yaml" --check-config >/dev/null 2>"$work/bad.err"
[ $? = 2 ] || fail "an unknown key is no error"
grep -q 'second.yaml:.*gardener' "$work/bad.err" || fail "the message does not name file and key"
sed -i '/gardener/d' "$work/second.yaml"
"$emtd" --config "$work/second.yaml" --migrations "$migrations" >/dev/null 2>"$work/second.err" &
second=$!
wait_for 20 grep -q '"ready"\| ready' "$work/second.err" || fail "no second node"

kill -9 "$(head -n 1 "$dir/pg/data/postmaster.pid")"
sleep 0.3
wait_for 40 is_ready "$port" || fail "not ready again after kill -9 of PostgreSQL"

# Connections that ended unnoticed say nothing about the database.
postmaster=$(head -n 1 "$dir/pg/data/postmaster.pid")
for i in 1 2 3 4; do is_ready "$port" || fail "not ready"; done
ps -o pid=,args= --ppid "$postmaster" | awk '/emt_admin/ { print $1 }' | xargs kill -TERM
sleep 0.3
for i in 1 2 3 4; do is_ready "$port" || fail "not ready because of an ended connection"; done

kill -9 "$first"
wait "$first" 2>/dev/null
start_first
grep -q 'embedded-pg-adopted' "$work/first.err" || fail "the orphan was not adopted"
grep -q "$password" "$work/first.out" && fail "the password is printed again"
grep -q "$password" "$dir/first-login" || fail "first-login lost its password"
is_ready "$port" || fail "not ready after kill -9 of emtd"

kill -HUP "$first"
wait_for 5 grep -q certificate-renewed "$work/first.err" || fail "no reload"

kill -TERM "$second"
wait_for 10 ended "$second" || fail "the second node does not end"
wait "$second" || fail "the second node ends with an error"
kill -TERM "$first"
wait_for 12 ended "$first" || fail "no end"
wait "$first" || fail "the end is an error"
[ -e "$dir/pg/data/postmaster.pid" ] && fail "PostgreSQL still runs"
first= second=
echo "ok"

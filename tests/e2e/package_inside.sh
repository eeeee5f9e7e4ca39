#!/bin/sh
# Runs inside a fresh system where both packages are installed, without a network: configures them as docs/operations.md says ("From
# packages"), starts them as their units would, upgrades and purges them. Lines that begin with == are the report.
set -eu

say() { echo "== $*"; }
fail() { echo "failed: $*" >&2; tail -n 20 /root/*.log >&2 || true; exit 1; }
wait_for() { # TEXT COMMAND...
    what=$1 n=0
    shift
    until "$@" >/dev/null 2>&1; do
        n=$((n + 1))
        [ "$n" -lt 300 ] || fail "waited in vain for: $what"
        sleep 0.1
    done
}
# The command of a unit, started as the unit's user in the unit's environment.
start_unit() { # UNIT INSTANCE LOG
    file=/lib/systemd/system/$1
    user=$(sed -n 's/^User=//p' "$file")
    command=$(sed -n 's/^ExecStart=//p' "$file" | sed "s/%i/$2/g")
    # shellcheck disable=SC2086
    setpriv --reuid="$user" --regid="$user" --clear-groups --no-new-privs --bounding-set=-all env -i PATH=/usr/bin:/bin sh -c 'umask 077; exec "$@"' - $command >"$3" 2>&1 &
}
json() { sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p'; }
api() { # METHOD PATH [BODY]
    curl -sSf --cacert /var/lib/emt/root.pem -X "$1" -H "Authorization: Bearer ${key:-}" ${3:+-d "$3"} "https://localhost:8443$2"
}

[ "$(stat -c '%U:%G %a' /var/lib/emt)" = 'emt:emt 750' ] || fail "/var/lib/emt: $(stat -c '%U:%G %a' /var/lib/emt)"
[ "$(stat -c '%U:%G %a' /etc/emt/emtd.yaml)" = 'root:emt 640' ] || fail "/etc/emt/emtd.yaml: $(stat -c '%U:%G %a' /etc/emt/emtd.yaml)"
[ "$(stat -c '%U:%G %a' /var/lib/emt-agent)" = 'emt-agent:emt-agent 750' ] || fail /var/lib/emt-agent
emtd --check-config | grep -q good || fail "the configuration that the package brings is not good"

# From packages: the database.
pg_ctlcluster 15 main start
su postgres -c 'psql -qf /usr/share/emt/migrations/roles.sql && createdb -O emt_owner emt'
printf 'emt emt emt_%s\n' owner app ingest admin report backup >>/etc/postgresql/15/main/pg_ident.conf
echo 'emt postgres postgres' >>/etc/postgresql/15/main/pg_ident.conf
sed -i '1i local emt all peer map=emt' /etc/postgresql/15/main/pg_hba.conf
pg_ctlcluster 15 main reload

start_unit emtd.service '' /root/emtd.log
emtd=$!
wait_for 'emtd is ready' curl -sf http://127.0.0.1:9443/readyz
say "emtd runs as $(ps -o user= -p "$emtd" 2>/dev/null || stat -c %U "/proc/$emtd") on a database made by the book"
[ "$(stat -c '%U %a' /var/lib/emt/master.key)" = 'emt 600' ] || fail "master.key: $(stat -c '%U %a' /var/lib/emt/master.key)"
curl -sSf --cacert /var/lib/emt/root.pem https://localhost:8443/ | grep -qi '<!doctype html>' || fail 'no portal'

one_time=$(sed -n 's/^password: //p' /var/lib/emt/first-login)
key=$(api POST /api/v1/login "{\"user\":\"admin\",\"password\":\"$one_time\",\"new_password\":\"a password of mine\"}" | json api_key)
api POST /api/v1/tenants '{"key":"demo","name":"Demo"}' >/dev/null
api POST /api/v1/tenants/demo/gateways '{"id":"gw-1"}' >/dev/null
enrolment=$(api POST /api/v1/tenants/demo/gateways/gw-1/enrolment)
setpriv --reuid=emt-agent --regid=emt-agent --clear-groups emt-agent enrol --server https://localhost:8443 \
    --token "$(echo "$enrolment" | json token)" --pin "$(echo "$enrolment" | json pin)" --dir /var/lib/emt-agent/gw-1 >/dev/null
start_unit emt-agent@.service gw-1 /root/agent.log
agent=$!
connected() { api GET /api/v1/tenants/demo/gateways/gw-1 | grep -q '"connected"'; }
wait_for 'the gateway is connected' connected
say "emt-agent runs as $(stat -c %U "/proc/$agent") and is connected"
kill "$agent"
wait "$agent" || fail 'emt-agent did not end in order'

# An upgrade keeps configuration and data.
echo '# mine' >>/etc/emt/emtd.yaml
dpkg -i /root/emt-platform_*.deb /root/emt-agent_*.deb >/root/upgrade.log 2>&1 || fail upgrade
grep -q '^# mine' /etc/emt/emtd.yaml || fail 'the upgrade lost the configuration'
kill "$emtd"
wait "$emtd" || fail 'emtd did not end in order'
start_unit emtd.service '' /root/emtd.log
emtd=$!
wait_for 'emtd is ready again' curl -sf http://127.0.0.1:9443/readyz
api GET /api/v1/tenants/demo/gateways/gw-1 | grep -q gw-1 || fail 'the upgrade lost data'
kill "$emtd"
wait "$emtd" || fail 'emtd did not end in order'
say 'upgraded, configuration and data are there'

said=$(dpkg --purge emt-platform emt-agent 2>&1 </dev/null)
echo "$said" | grep -q 'left as they are: the database, /var/lib/emt' || fail "purge says nothing of what it leaves: $said"
echo "$said" | grep -q 'left as they are: keys and spools' || fail "purge says nothing of spools: $said"
[ -f /var/lib/emt/master.key ] && [ -f /var/lib/emt-agent/gw-1/gateway.key ] || fail 'purge took keys'
[ ! -e /etc/emt ] && [ ! -e /usr/bin/emtd ] && [ ! -e /usr/share/emt ] || fail 'purge left files'
pg_ctlcluster 15 main stop
say 'purged, keys and database are left'

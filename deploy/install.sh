# Sourced by deploy/run.sh and tests/run.sh: Debian packages by kind, and commands that take a while.
# shellcheck shell=bash

# Messages of tools are looked at, and a locale that is not generated makes them complain.
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

# emt_long TEXT COMMAND...: runs it quietly and says every ten seconds what it is at; shows the end of its output when it fails.
emt_long() {
    local text=$1 log watcher start=$SECONDS status=0
    shift
    log=$(mktemp "${TMPDIR:-/tmp}/emt-log.XXXXXX")
    printf '%s …\n' "$text"
    # The command stays in the foreground, so that Ctrl-C reaches it.
    (
        told=$SECONDS
        while sleep 1 && kill -0 $$ 2>/dev/null; do
            [ $((SECONDS - told)) -ge 10 ] || continue
            told=$SECONDS
            printf '  %3d s  %s\n' $((SECONDS - start)) "$(tr '\r' '\n' <"$log" | grep -v '^ *$' | tail -n 1 | cut -c1-100)"
        done
    ) &
    watcher=$!
    "$@" </dev/null >"$log" 2>&1 || status=$?
    kill "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
    if [ "$status" -ne 0 ]; then
        tail -n 30 "$log" >&2
        echo "error: failed after $((SECONDS - start)) s: $text" >&2
    else
        printf '  %3d s  done\n' $((SECONDS - start))
    fi
    rm -f "$log"
    return "$status"
}

# A Node.js with npm that somebody brought along is as good as Debian's, and Debian's npm may not go with it.
emt_has_npm() {
    command -v npm >/dev/null && command -v node >/dev/null &&
        node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)'
}

# emt_missing KIND...: what tests/packages.txt lists for these kinds and is not installed, one per line.
emt_missing() {
    local list package kind wanted
    list="$(dirname "${BASH_SOURCE[0]}")/../tests/packages.txt"
    while read -r package kind; do
        for wanted in "$@"; do
            [ "$kind" = "$wanted" ] || continue
            if [ "$kind" = portal ] && emt_has_npm; then continue; fi
            dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
        done
    done <<<"$(grep -v '^#' "$list")"
}

# emt_install KIND...: installs what is missing of these kinds, having said what and how much.
emt_install() {
    local missing=() sudo=() all plan sizes
    all=$(emt_missing "$@")
    [ -n "$all" ] || return 0
    mapfile -t missing <<<"$all"
    if ! command -v apt-get >/dev/null; then
        echo "error: this is made for Debian 12; elsewhere install the like of: ${missing[*]}" >&2
        return 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "error: packages are missing, and installing them needs root or sudo. As root:" >&2
            echo "  apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
            return 1
        fi
        echo "${#missing[@]} Debian packages are missing; sudo asks for your password to install them."
        sudo -v || { echo "error: you may not use sudo here; see --no-install and --help" >&2; return 1; }
        sudo=(sudo)
    fi
    local apt=("${sudo[@]}" env LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive apt-get -o APT::ExtractTemplates::TempDir=/var/tmp)
    emt_long "reading Debian's package lists" "${apt[@]}" -q update || return 1
    plan=$("${apt[@]}" --assume-no install --no-install-recommends "${missing[@]}" 2>&1 || true)
    sizes=$(grep -E '^(Need to get|After this operation)' <<<"$plan" || true)
    [ -n "$sizes" ] || { echo "$plan" >&2; echo "error: apt cannot install: ${missing[*]}" >&2; return 1; }
    all=$(sed -n 's/^[0-9]* upgraded, \([0-9]*\) newly installed.*/\1/p' <<<"$plan")
    echo "About to install with apt, without recommendations: ${missing[*]}"
    echo "With what these need, $all packages. ${sizes//$'\n'/ }"
    if [ -t 0 ]; then
        echo "Ctrl-C within five seconds to leave it."
        sleep 5
    fi
    # The PostgreSQL package would otherwise create and start a cluster of its own; emtd brings a private one.
    if [ ! -e /etc/postgresql-common/createcluster.d/no-main.conf ] && [ ! -d /etc/postgresql/15/main ]; then
        "${sudo[@]}" mkdir -p /etc/postgresql-common/createcluster.d
        echo 'create_main_cluster = false' | "${sudo[@]}" tee /etc/postgresql-common/createcluster.d/no-main.conf >/dev/null
    fi
    emt_long "downloading" "${apt[@]}" -q install -y --download-only --no-install-recommends "${missing[@]}" || return 1
    emt_long "installing" "${apt[@]}" -q install -y --no-install-recommends "${missing[@]}"
}

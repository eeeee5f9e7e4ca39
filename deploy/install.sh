# Sourced by deploy/run.sh and tests/run.sh: installs Debian packages by kind.
# shellcheck shell=bash

# emt_install KIND...: installs what tests/packages.txt lists for these kinds and is missing. Says first what it is about to install.
emt_install() {
    local root list missing=() sudo=() package kind wanted
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    list="$root/tests/packages.txt"
    while read -r package kind; do
        for wanted in "$@"; do
            [ "$kind" = "$wanted" ] || continue
            dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
        done
    done < <(grep -v '^#' "$list")
    [ "${#missing[@]}" -gt 0 ] || return 0
    echo "installing ${#missing[@]} Debian packages: ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "error: not root and no sudo: install these packages by hand" >&2; return 1; }
        sudo=(sudo)
    fi
    # The PostgreSQL package would otherwise create and start a cluster of its own; emtd brings a private one.
    if [ ! -e /etc/postgresql-common/createcluster.d/no-main.conf ] && [ ! -d /etc/postgresql/15/main ]; then
        "${sudo[@]}" mkdir -p /etc/postgresql-common/createcluster.d
        echo 'create_main_cluster = false' | "${sudo[@]}" tee /etc/postgresql-common/createcluster.d/no-main.conf >/dev/null
    fi
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

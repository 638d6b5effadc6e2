#!/usr/bin/env bash
# Installs what a bare Debian machine with a Rust toolchain lacks. Does nothing where all is there.
set -euo pipefail

need() { # need COMMAND PACKAGE…
    local command=$1
    shift
    command -v "$command" >/dev/null 2>&1 && return
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "setup: \`$command\` is missing and this machine has no apt-get; install it and try again" >&2
        exit 1
    fi
    local sudo=""
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    echo "setup: installing $*" >&2
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Debian keeps the programs of a server on nobody's PATH.
postgres() {
    command -v initdb >/dev/null 2>&1 && command -v pg_ctl >/dev/null 2>&1 && return
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && return
    [ -n "${CAUSEWAY_TEST_POSTGRES:-}" ] && command -v psql >/dev/null 2>&1 && return
    need initdb postgresql
}

if ! command -v cargo >/dev/null 2>&1; then
    echo "setup: cargo is missing; install Rust 1.95 or newer with rustup" >&2
    exit 1
fi
for what in "$@"; do
    case $what in
    build)
        need cc build-essential
        need sqlite3 sqlite3
        postgres
        need faketime faketime
        ;;
    bench) need python3 python3 python3-venv ;;
    *)
        echo "setup: unknown part $what" >&2
        exit 2
        ;;
    esac
done

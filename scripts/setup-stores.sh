#!/usr/bin/env bash
# Installs a server that the tests of the stores run against, and prints the path of what to start, alone on standard
# output; everything else goes to standard error. Does nothing when it is there already. Fails, and says what is missing,
# where it cannot be had.
#
#   setup-stores.sh s3s-fs     S3 on a folder, honours conditional puts   (cargo)
#   setup-stores.sh garage     S3, ignores the conditions                 (cargo, with its C libraries bundled)
#   setup-stores.sh azurite    the blobs of Azure                         (npm)
#
# With --installed behind the name it only looks whether it is there.
#
# RAYONNAGE_SETUP_CACHE names the folder of what is set up (default: $XDG_CACHE_HOME or ~/.cache, then rayonnage).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${RAYONNAGE_SETUP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rayonnage}
say() { printf 'setup: %s\n' "$*" >&2; }
need() { command -v "$1" >/dev/null || { say "$1 is needed for $2"; exit 1; }; }
tag() { sha256sum | cut -c1-8; }

# with_cargo FOLDER CRATE VERSION FEATURES: the target folder stands beside and goes with the work folder.
with_cargo() {
    CARGO_INCREMENTAL=0 cargo install --quiet --locked --version "=$3" --no-default-features --features "$4" \
        --root "$1" --no-track --target-dir "$work/target" "$2" >&2
}

# with_npm FOLDER: what the lock file beside this script names, each package checked against its digest. None of them
# needs a script of its own to be installed.
with_npm() {
    mkdir "$1"
    cp "$here/azurite/package.json" "$here/azurite/package-lock.json" "$1"
    npm ci --prefix "$1" --loglevel error --omit dev --ignore-scripts --no-audit --no-fund --cache "$work/npm" >&2
}

# install FOLDER COMMAND ARGUMENTS…: `COMMAND place ARGUMENTS…` aside, then renamed, so that a folder of that name is whole.
install() {
    local name=$1 command=$2
    shift 2
    [ -z "$only_look" ] || { say "$name is not installed"; exit 1; }
    mkdir -p "$cache"
    # A lock of its own: the longest takes minutes, and LibTorch need not wait for it.
    exec 9>"$cache/.setup-$server.lock"
    flock 9
    [ -d "$cache/$name" ] && return
    # What a set-up left that was killed; nobody else is at work, since the lock is held.
    rm -rf "$cache/.$server"-*
    work=$(mktemp -d "$cache/.$server-XXXXXX")
    trap 'rm -rf "$work"' EXIT
    say "installing $name into $cache ($wait)"
    "$command" "$work/$name" "$@" || { say "$name could not be installed"; exit 1; }
    mv "$work/$name" "$cache/$name"
}

# What decides the contents is part of the name: a change makes a new folder.
server=${1:-} only_look=${2:-}
case $server in
s3s-fs)
    crate=(s3s-fs 0.14.1 binary)
    wait='about two minutes'
    ;;
garage)
    crate=(garage 2.5.0 bundled-libs,lmdb)
    wait='about ten minutes'
    ;;
azurite)
    name=azurite-$(cat "$here/azurite/package.json" "$here/azurite/package-lock.json" | tag)
    wait='about a minute'
    program=$cache/$name/node_modules/.bin/azurite-blob
    ;;
*)
    say 'usage: setup-stores.sh s3s-fs | garage | azurite'
    exit 2
    ;;
esac

if [ "$server" = azurite ]; then
    # It is a script of Node.js: needed to start it, too.
    need node Azurite
    [ -d "$cache/$name" ] || { need npm Azurite; install "$name" with_npm; }
else
    name=$server-${crate[1]}-$(printf '%s ' "${crate[@]}" | tag)
    program=$cache/$name/bin/$server
    [ -d "$cache/$name" ] || { need cargo "$server"; install "$name" with_cargo "${crate[@]}"; }
fi
echo "$program"

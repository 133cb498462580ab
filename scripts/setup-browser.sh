#!/usr/bin/env bash
# Installs a headless Chromium with what drives it, from npm, and prints the script that looks at a report, alone on standard
# output; everything else goes to standard error. Does nothing when it is there already. Fails, and says what is missing, where it
# cannot be had.
#
# RAYONNAGE_SETUP_CACHE names the folder of what is set up (default: $XDG_CACHE_HOME or ~/.cache, then rayonnage).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/browser
cache=${RAYONNAGE_SETUP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rayonnage}
say() { printf 'setup: %s\n' "$*" >&2; }
need() { command -v "$1" >/dev/null || { say "$1 is needed for the browser"; exit 1; }; }

need node
# What decides the contents is part of the name: a change makes a new folder.
name=browser-$(cat "$here"/package.json "$here"/package-lock.json "$here"/check-report.mjs | sha256sum | cut -c1-8)
program=$cache/$name/check-report.mjs
if [ ! -d "$cache/$name" ]; then
    need npm
    mkdir -p "$cache"
    exec 9>"$cache/.setup-browser.lock"
    flock 9
    if [ ! -d "$cache/$name" ]; then
        # What a set-up left that was killed; nobody else is at work, since the lock is held.
        rm -rf "$cache"/.browser-*
        work=$(mktemp -d "$cache/.browser-XXXXXX")
        trap 'rm -rf "$work"' EXIT
        say "installing $name into $cache (about a minute)"
        mkdir "$work/$name"
        cp "$here"/package.json "$here"/package-lock.json "$here"/check-report.mjs "$work/$name"
        # What the lock file names, each package checked against its digest; none needs a script of its own to be installed.
        npm ci --prefix "$work/$name" --loglevel error --omit dev --ignore-scripts --no-audit --no-fund --cache "$work/npm" >&2 \
            || { say "$name could not be installed"; exit 1; }
        mv "$work/$name" "$cache/$name"
    fi
fi
echo "$program"

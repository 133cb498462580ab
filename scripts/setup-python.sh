#!/usr/bin/env bash
# Installs Python packages outside the checkout and prints their folder, for PYTHONPATH; everything else goes to standard
# error. Does nothing when they are there already. Fails, and says what is missing, where they cannot be had.
#
#   setup-python.sh REQUIREMENTS
#
# RAYONNAGE_SETUP_CACHE names the folder of what is set up (default: $XDG_CACHE_HOME or ~/.cache, then rayonnage).
set -euo pipefail

requirements=$1
cache=${RAYONNAGE_SETUP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rayonnage}
say() { printf 'setup: %s\n' "$*" >&2; }

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { say "python3, 3.11 or later, is needed"; exit 1; }
python3 -m pip --version >/dev/null 2>&1 || { say "python3 with pip is needed"; exit 1; }

# What decides the contents is part of the name: a change makes a new folder.
python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
name=python-$python-$(sha256sum <"$requirements" | cut -c1-8)
mkdir -p "$cache"
exec 9>"$cache/.setup.lock"
flock 9
if [ ! -d "$cache/$name" ]; then
    say "fetching the packages of $requirements into $cache/$name"
    # Aside, then renamed, so that a folder of that name is whole.
    work=$(mktemp -d "$cache/.python-XXXXXX")
    trap 'rm -rf "$work"' EXIT
    python3 -m pip install --quiet --disable-pip-version-check --no-warn-conflicts --root-user-action ignore --no-cache-dir --target "$work/$name" --requirement "$requirements" >&2 ||
        { say "the packages of $requirements could not be fetched"; exit 1; }
    mv "$work/$name" "$cache/$name"
fi
echo "$cache/$name"

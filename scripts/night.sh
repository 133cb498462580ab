#!/bin/sh
# One night, for cron or systemd: runs the pipeline on the dump of a day, and ends with its exit code.
#
#   night.sh [ARGUMENTS OF rayonnage run]
#
# RAYONNAGE_DATE    the day, YYYY-MM-DD; default: today
# RAYONNAGE_DUMPS   path or URL with a folder for each day; or name the dump itself with RAYONNAGE_SOURCE
# RAYONNAGE         the program; default: the one that `make build` made in this checkout, or else the one in PATH
#
# All other variables are those of pipeline.yaml and of the program. What goes wrong before the program is at work is told in the form
# of its log: exit code 10 for a variable that is missing, 127 for a program that is not there or cannot be started.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."

RAYONNAGE_LOG_FORMAT=${RAYONNAGE_LOG_FORMAT:-json}

# fail CODE ERROR REMEDY: the last line, as the program writes it.
fail() {
    if [ "$RAYONNAGE_LOG_FORMAT" = json ]; then
        escaped() { printf %s "$1" | tr '\n\t' '  ' | sed 's/[\\"]/\\&/g'; }
        printf '{"timestamp":"%s","level":"ERROR","message":"command failed","exit_code":%d,"error":"%s","causes":[],"remedy":"%s"}\n' \
            "$(date -u +%FT%TZ)" "$1" "$(escaped "$2")" "$(escaped "$3")" >&2
    else
        printf 'error: %s\n  remedy: %s\n' "$2" "$3" >&2
    fi
    exit "$1"
}

RAYONNAGE_DATE=${RAYONNAGE_DATE:-$(date +%F)}
if [ -z "${RAYONNAGE_SOURCE:-}" ]; then
    [ -n "${RAYONNAGE_DUMPS:-}" ] || fail 10 'RAYONNAGE_DUMPS is not set' \
        'set it to the folder or URL that holds a folder for each day (/etc/rayonnage.env under systemd and cron), or RAYONNAGE_SOURCE to the dump'
    RAYONNAGE_SOURCE=${RAYONNAGE_DUMPS%/}/$RAYONNAGE_DATE
fi

program=${RAYONNAGE:-}
if [ -z "$program" ]; then
    program=${CARGO_TARGET_DIR:-target}/release/rayonnage
    [ -x "$program" ] || program=$(command -v rayonnage) || fail 127 "there is no program in ${CARGO_TARGET_DIR:-target}/release and none in PATH" \
        'make build in the checkout, or name the program: RAYONNAGE=/path/of/rayonnage'
fi
# The system's loader would answer in text: it misses LibTorch, or the file itself.
if ! said=$("$program" --version 2>&1); then
    fail 127 "$program cannot be started: $said" \
        "name the program that is meant: RAYONNAGE=/path/of/rayonnage; if LibTorch is missing: export LD_LIBRARY_PATH=\$(scripts/setup-libtorch.sh)/lib"
fi

# What the last line of a run that failed says of going on: tomorrow it would be another day.
RAYONNAGE_RESUME="RAYONNAGE_DATE=$RAYONNAGE_DATE $here/night.sh"
# As the Makefile has them: threads of OpenMP wait quietly, and large blocks go back to the system at once.
OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
MALLOC_MMAP_THRESHOLD_=${MALLOC_MMAP_THRESHOLD_:-131072}
export RAYONNAGE_DATE RAYONNAGE_SOURCE RAYONNAGE_LOG_FORMAT RAYONNAGE_RESUME OMP_WAIT_POLICY MALLOC_MMAP_THRESHOLD_

exec "$program" run "$@"

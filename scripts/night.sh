#!/bin/sh
# One night, for cron or systemd: runs the pipeline on the dump of a day, and ends with its exit code.
#
#   night.sh [ARGUMENTS OF rayonnage run]
#
# RAYONNAGE_DATE    the day, YYYY-MM-DD; default: today
# RAYONNAGE_DUMPS   path or URL with a folder for each day; or name the dump itself with RAYONNAGE_SOURCE
# RAYONNAGE         the program; default: target/release/rayonnage of this checkout
#
# All other variables are those of pipeline.yaml and of the program.
set -eu
cd "$(dirname "$0")/.."

RAYONNAGE_DATE=${RAYONNAGE_DATE:-$(date +%F)}
if [ -z "${RAYONNAGE_SOURCE:-}" ]; then
    RAYONNAGE_SOURCE=${RAYONNAGE_DUMPS:?names the folder or URL of the dumps}/$RAYONNAGE_DATE
fi
RAYONNAGE_LOG_FORMAT=${RAYONNAGE_LOG_FORMAT:-json}
# As the Makefile has them: threads of OpenMP wait quietly, and large blocks go back to the system at once.
OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
MALLOC_MMAP_THRESHOLD_=${MALLOC_MMAP_THRESHOLD_:-131072}
export RAYONNAGE_DATE RAYONNAGE_SOURCE RAYONNAGE_LOG_FORMAT OMP_WAIT_POLICY MALLOC_MMAP_THRESHOLD_

exec "${RAYONNAGE:-target/release/rayonnage}" run "$@"

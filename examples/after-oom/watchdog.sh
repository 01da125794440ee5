#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# necropy: example: a core as soon as a process uses more than so much memory; the process lives on.
#
# watchdog.sh PID MEGABYTES [FOLDER]: writes FOLDER/core.PID once, then ends.
set -eu
pid=$1 megabytes=$2 folder=${3:-.}

resident() { awk '/^VmRSS:/ { print int($2 / 1024) }' "/proc/$pid/status" 2>/dev/null; }

while kill -0 "$pid" 2>/dev/null; do
    now=$(resident)
    if [[ ${now:-0} -ge $megabytes ]]; then
        echo "watchdog: process $pid uses $now MB: taking its core"
        gcore -o "$folder/core" "$pid" >"$folder/gcore.log" 2>&1 || true
        [[ -s $folder/core.$pid ]] || { tail -3 "$folder/gcore.log" >&2; exit 1; }
        exit 0
    fi
    sleep 0.5
done
echo "watchdog: process $pid ended before it reached $megabytes MB" >&2
exit 1

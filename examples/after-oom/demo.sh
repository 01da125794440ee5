#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# necropy: example: three ways to have a core when memory runs out, each followed by necropy's verdict.
#
# demo.sh [FOLDER]: cores go to FOLDER (default: a temporary one, removed at the end).
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
necropy=${NECROPY:-$here/../../build/analyzer/necropy}
[[ $necropy == /* ]] || necropy=$PWD/$necropy
python=${PYTHON:-/usr/bin/python3}
folder=${1:-}
if [[ -z $folder ]]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
cd "$folder"
ulimit -c unlimited 2>/dev/null || true
pattern=$(cat /proc/sys/kernel/core_pattern)

# Where the kernel put the core of a process; nothing where it hands cores to a program.
core_of() { # pid
    local name=${pattern//%p/$1}
    for name in "$name" "$name.$1"; do
        [[ $pattern != \|* && -s $name ]] && mv "$name" "core.$1" 2>/dev/null
        [[ -s core.$1 ]] && echo "core.$1" && return 0
    done
    return 1
}

wait_ready() { # log
    for _ in $(seq 300); do
        grep -q ready "$1" && return 0
        sleep 0.1
    done
    return 1
}

echo "== 1. A watchdog takes a core at a threshold; the service lives on"
"$python" "$here/service.py" 150 >service.log &
pid=$!
"$here/watchdog.sh" "$pid" 100 "$folder"
kill "$pid"
"$necropy" report "core.$pid"

echo "== 2. MemoryError becomes a core"
# Not `&`: a shell that waits says how it ended.
NECROPY_LIMIT_MB=300 PYTHONPATH="$here" "$python" "$here/service.py" &
pid=$!
wait "$pid" || true
if core=$(core_of "$pid"); then
    "$necropy" report "$core"
else
    echo "the kernel wrote no core here: core_pattern is '$pattern', the limit $(ulimit -c)"
fi

echo "== 3. ulimit -c unlimited, and SIGABRT whenever you like"
"$python" "$here/service.py" 50 >service.log &
pid=$!
wait_ready service.log
kill -ABRT "$pid"
wait "$pid" || true
if core=$(core_of "$pid"); then
    "$necropy" retained "$core" --limit 3
else
    echo "the kernel wrote no core here: core_pattern is '$pattern', the limit $(ulimit -c)"
fi

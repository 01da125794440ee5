#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# necropy: example: the reports of all Python cores in a folder, for a CI job's artefacts.
#
# analyse-cores.sh FOLDER [OUT]: OUT/NAME.txt and OUT/NAME.json for each core; exit status 1 when a core of Python could
# not be read at all, 0 otherwise. Put the job's own policy behind it: the JSON has a schema (analyzer/report/).
set -u
folder=$1 out=${2:-necropy-reports}
necropy=${NECROPY:-necropy}
mkdir -p "$out"
status=0 found=0

is_core() { # An ELF file of type 4.
    [[ $(od -An -tx1 -N4 "$1" | tr -d ' \n') == 7f454c46 && $(od -An -tu2 -j16 -N2 "$1" | tr -d ' ') == 4 ]]
}

for core in "$folder"/*; do
    [[ -f $core ]] && is_core "$core" || continue
    found=$((found + 1))
    name=$(basename "$core")
    "$necropy" report "$core" --quiet --json "$out/$name.json" >"$out/$name.txt" 2>"$out/$name.err"
    case $? in
    0) echo "== $core" && head -20 "$out/$name.txt" ;;
    4) echo "== $core (part of it could not be read: $(cat "$out/$name.err"))" && head -20 "$out/$name.txt" ;;
    *)
        echo "== $core: $(cat "$out/$name.err")"
        grep -qi 'no .*python' "$out/$name.err" || status=1
        rm -f "$out/$name.txt"
        ;;
    esac
    [[ -s $out/$name.err ]] || rm -f "$out/$name.err"
done
echo "$found cores"
exit $status

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# necropy: example: a picture of what holds the objects of a type.
#
# backrefs.sh CORE TYPE [OUT.png]
set -eu
core=$1 type=$2 out=${3:-$2.png}
necropy=${NECROPY:-necropy}

# The sentence first, the picture second: often the sentence is enough.
"$necropy" path "$core" --type "$type" --limit 3
"$necropy" backrefs "$core" --type "$type" --max-depth 6 --max-nodes 40 -o "$out"
echo "the picture is in $out"

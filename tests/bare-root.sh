#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# necropy: do the quick start and the tests work in a bare Debian 12, as the only command?
#
# bare-root.sh FOLDER [COMMAND...]: as root. Makes a minimal Debian 12 in FOLDER (kept and reused), puts a fresh clone
# in it and runs examples/quickstart, then, in another fresh copy, tests/run; or COMMANDs given instead.
set -eu
folder=$1
shift
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[[ $# -gt 0 ]] || set -- examples/quickstart tests/run

if [[ ! -e $folder/base/etc/debian_version ]]; then
    mkdir -p "$folder/base"
    debootstrap --variant=minbase bookworm "$folder/base"
    # The mirrors of this machine, where it has its own.
    cp /etc/apt/sources.list.d/debian.sources "$folder/base/etc/apt/sources.list.d/" 2>/dev/null &&
        rm -f "$folder/base/etc/apt/sources.list"
fi
cp /etc/resolv.conf /etc/hosts "$folder/base/etc/"

unmount() { umount "$folder/root/proc" "$folder/root/dev/pts" "$folder/root/dev" "$folder/root/sys" 2>/dev/null || true; }
trap unmount EXIT

for command; do
    unmount
    rm -rf --one-file-system "$folder/root"
    cp -a "$folder/base" "$folder/root"
    git clone -q "$root" "$folder/root/necropy"
    mount -t proc proc "$folder/root/proc"
    mount -t sysfs sys "$folder/root/sys"
    mount --bind /dev "$folder/root/dev"
    mount --bind /dev/pts "$folder/root/dev/pts"
    echo "== $command in a bare Debian $(cat "$folder/base/etc/debian_version")"
    started=$SECONDS
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" CI=true \
        chroot "$folder/root" bash -c "cd / && /necropy/$command"
    echo "== $command took $((SECONDS - started)) seconds"
done

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# necropy: a Debian for aarch64 in a folder, with qemu, for tests/e2e/test_roots.py (NECROPY_AARCH64_ROOT).
#
# aarch64-root.sh FOLDER [SUITE [PYTHON]]: as root (chroot). Unpacks python3.X, its debug packages and what they need, by
# an apt of its own; nothing is installed, neither here nor there. Default: bookworm python3.11. NECROPY_MORE: packages that
# are unpacked too (see aarch64-build.sh).
set -eu
folder=$1 suite=${2:-bookworm} python=${3:-python3.11}
# The mirror of this machine's own apt.
mirror=${NECROPY_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)}
mkdir -p "$folder/usr/bin" "$folder/usr/lib" "$folder/tmp" "$folder/dev" "$folder/.apt" "$folder/.debs"
folder=$(cd "$folder" && pwd)
[[ $suite == bookworm ]] || ln -sfn usr/lib "$folder/lib" # since then packages have no /lib
apt=$folder/.apt
mkdir -p "$apt"/{etc/apt/{apt.conf,preferences}.d,var/lib/apt/lists/partial,var/cache/apt/archives/partial,var/lib/dpkg}
touch "$apt/var/lib/dpkg/status"
cp /etc/apt/apt.conf.d/*proxy* "$apt/etc/apt/apt.conf.d/" 2>/dev/null || true
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$apt/etc/apt/sources.list"
cat >"$apt/apt.conf" <<END
Dir "$apt";
Dir::State::status "$apt/var/lib/dpkg/status";
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
END
export APT_CONFIG=$apt/apt.conf
apt-get update -q
packages=$(apt-get install -s "$python" "$python-dbg" libc6-dbg zlib1g ${NECROPY_MORE:-} | awk '/^Inst/ {print $2}' |
    grep -v -E '^(dpkg|tar|perl-base|media-types|mailcap|debconf)$')
cd "$folder/.debs"
# shellcheck disable=SC2086
apt-get download -q $packages
unset APT_CONFIG
apt-get download -q -o APT::Sandbox::User=root qemu-user-static # of this machine
for package in *.deb; do
    dpkg-deb -x "$package" "$folder"
done
mv "$folder/usr/bin/qemu-aarch64-static" "$folder/"
rm -rf "$folder/.apt" "$folder/.debs" "$folder"/usr/bin/qemu-*
chroot "$folder" /qemu-aarch64-static "/usr/bin/$python" -VV

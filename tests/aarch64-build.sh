#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# necropy: necropy for aarch64, cross-compiled, and the command that runs it here, for tests/e2e/test_roots.py.
#
# aarch64-build.sh FOLDER: as root, in a new folder; needs gcc-aarch64-linux-gnu. Takes the libraries of a Debian for
# aarch64 (aarch64-root.sh), builds FOLDER/build/analyzer/necropy, and prints `qemu-aarch64-static -L ... necropy`, which
# NECROPY_OTHER may be: it must say of every core what necropy of this machine says.
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
NECROPY_MORE="libelf-dev libdwarf-dev libarchive-dev libzstd-dev libxxhash-dev libjansson-dev libunicorn-dev libc6-dev libgcc-12-dev" \
    "$source/tests/aarch64-root.sh" "$1/root" bookworm >&2
folder=$(cd "$1" && pwd)
libraries=usr/lib/aarch64-linux-gnu
cat >"$folder/aarch64.cmake" <<END
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_SYSROOT $folder/root)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH $folder/root)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
END
export PKG_CONFIG_SYSROOT_DIR=$folder/root PKG_CONFIG_LIBDIR=$folder/root/$libraries/pkgconfig
cmake -S "$source" -B "$folder/build" -DCMAKE_TOOLCHAIN_FILE="$folder/aarch64.cmake" -DNECROPY_TESTS=OFF >&2
cmake --build "$folder/build" -j2 >&2
# Not the whole root: qemu would find its python3 where a core names one of this machine.
mkdir -p "$folder/only/usr/lib"
ln -sfn "$folder/root/lib" "$folder/only/lib"
ln -sfn "$folder/root/$libraries" "$folder/only/$libraries"
echo "$folder/root/qemu-aarch64-static -L $folder/only $folder/build/analyzer/necropy"

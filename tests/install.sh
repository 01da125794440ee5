# SPDX-License-Identifier: MIT
# necropy: what building and testing need, from the distribution (Debian 12 and later, Ubuntu 24.04). Sourced.
#
# install_missing installs only what is missing; with NECROPY_NO_INSTALL=1, or without apt-get, it only says so.

necropy_packages=(gcc libc6-dev make cmake pkg-config libelf-dev libdwarf-dev libarchive-dev libzstd-dev libxxhash-dev
    libdebuginfod-dev libdw-dev libjansson-dev libunicorn-dev libcmocka-dev graphviz gdb binutils procps libc6-dbg python3 python3-dbg python3-dev python3-jsonschema
    dwz zstd lz4 xz-utils bzip2)

missing_packages() {
    local package
    for package in "${necropy_packages[@]}"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
    done
}

# All, or one by one: a package that this distribution lacks must not keep the others away.
install_packages() {
    local package
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@" >/dev/null &&
        return 0
    for package in "$@"; do
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$package" \
            >/dev/null || echo "install: $package cannot be installed" >&2
    done
}

install_missing() {
    local missing as_root=()
    command -v dpkg-query >/dev/null || {
        echo "install: no Debian package tools here; needed are: ${necropy_packages[*]}" >&2
        return 0
    }
    mapfile -t missing < <(missing_packages)
    [[ ${#missing[@]} == 0 ]] && return 0
    if [[ -n ${NECROPY_NO_INSTALL:-} ]]; then
        echo "install: missing, and not to be installed: ${missing[*]}" >&2
        return 0
    fi
    if [[ $(id -u) != 0 ]]; then
        command -v sudo >/dev/null || {
            echo "install: missing: ${missing[*]}; become root or install sudo" >&2
            return 1
        }
        as_root=(sudo)
    fi
    echo "== Installing what is missing: ${missing[*]}"
    "${as_root[@]}" apt-get update -qq || echo "install: the package lists could not be renewed" >&2
    install_packages "${missing[@]}"
    command -v cmake >/dev/null && command -v cc >/dev/null || {
        echo "install: no compiler or no cmake after installing" >&2
        return 1
    }
}

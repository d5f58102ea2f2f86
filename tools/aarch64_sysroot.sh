#!/usr/bin/env bash
# Makes the folder of AArch64 headers and static libraries that the preset `aarch64` builds against:
# Debian's own packages for arm64 (packages/aarch64-sysroot.txt), downloaded and unpacked. Needs no
# root and changes nothing outside of the folder: apt's state for the other architecture lies there.
#
#   tools/aarch64_sysroot.sh FOLDER
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
sysroot=${1:?usage: aarch64_sysroot.sh FOLDER}
list=$root/packages/aarch64-sysroot.txt

# Made before from the same list: nothing to do.
if [ -f "$sysroot/complete" ] && cmp -s "$list" "$sysroot/complete"; then exit 0; fi

rm -rf "$sysroot"
mkdir -p "$sysroot/apt/lists/partial" "$sysroot/apt/archives/partial" "$sysroot/apt/packages"
sysroot=$(cd "$sysroot" && pwd)
: >"$sysroot/apt/status"
apt_arm64=(apt-get -q
  -o APT::Architecture=arm64 -o APT::Architectures=arm64
  -o Dir::State::Lists="$sysroot/apt/lists" -o Dir::State::status="$sysroot/apt/status"
  -o Dir::Cache="$sysroot/apt" -o Dir::Cache::Archives="$sysroot/apt/archives"
  -o APT::Sandbox::User=root -o Debug::NoLocking=1)

"${apt_arm64[@]}" update >&2 </dev/null
mapfile -t packages < <(sed 's/[[:space:]]*#.*//; /^$/d' "$list")
(cd "$sysroot/apt/packages" && "${apt_arm64[@]}" download "${packages[@]}" >&2 </dev/null)
for package in "$sysroot"/apt/packages/*.deb; do dpkg -x "$package" "$sysroot"; done
rm -rf "$sysroot/apt"
cp "$list" "$sysroot/complete"

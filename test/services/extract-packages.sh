#!/bin/sh
# extract-packages.sh FOLDER PACKAGE...: downloads packages of Debian, with what they need and this machine lacks, and unpacks them in
# FOLDER. Nothing is installed: servers of one kind conflict as packages, and are not wanted on the machine itself. Two at once wait
# for each other.
set -eu
folder=$1
shift
mkdir -p "${folder%/*}"
exec 9>"$folder.lock"
flock --wait 600 9
[ ! -e "$folder" ] || exit 0
part=$folder.part
rm -rf "$part"
mkdir -p "$part/root" "$part/debs"
fetch() {
  apt-get install --simulate --no-install-recommends "$@" >"$part/plan" || return 1
  { awk '/^Inst/ { print $2 }' "$part/plan"; printf '%s\n' "$@"; } | sort -u >"$part/list"
  cd "$part/debs"
  xargs apt-get -q download <"$part/list"
}
# The lists of packages are not there on a fresh machine, or name versions that are gone.
if ! fetch "$@" >/dev/null 2>&1; then
  apt-get -q -o DPkg::Lock::Timeout=600 update
  fetch "$@"
fi
for deb in *.deb; do dpkg -x "$deb" "$part/root"; done
mv "$part/root" "$folder"
rm -rf "$part"

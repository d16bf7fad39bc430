#!/bin/sh
# unpack-packages.sh FOLDER SUITE PACKAGE...: unpacks packages of a release of Debian, with all that they need, their own C library
# too, below FOLDER. Installs nothing and needs no root; programs run through the loader that is unpacked with them. Two at once wait
# for each other. A folder that is there is complete.
set -eu
folder=$1
suite=$2
mkdir -p "${folder%/*}"
if [ "${HOLDFAST_UNPACK_LOCKED:-}" != yes ]; then
  HOLDFAST_UNPACK_LOCKED=yes exec flock --wait 1200 "$folder.lock" "$0" "$@"
fi
shift 2
[ ! -d "$folder" ] || exit 0

work=$folder.new
rm -rf "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/packages" "$work/root"
: >"$work/apt/status"
# The mirror that this machine uses already.
mirror=$(apt-get indextargets --format '$(SITE)' 'Origin: Debian' 'Label: Debian' | sort | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$work/apt/list"
apt() {
  apt-get -q -o Dir::Etc::sourcelist="$work/apt/list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State="$work/apt" \
    -o Dir::State::lists="$work/apt/lists" -o Dir::State::status="$work/apt/status" -o Dir::Cache="$work/apt/cache" \
    -o APT::Install-Recommends=false -o APT::Sandbox::User=root "$@"
}
apt update
cd "$work/packages"
# shellcheck disable=SC2046 -- names of packages hold no spaces
apt download $(apt install --simulate "$@" | awk '/^Inst/ { print $2 }')
for package in *.deb; do
  dpkg-deb --extract "$package" "$work/root"
  rm "$package"
done
mv "$work/root" "$folder"

#!/bin/sh
# install-packages.sh PACKAGE...: installs packages of Debian, as root. Two at once wait for each other. Servers are neither started
# by their packages nor given a database: tests start their own.
set -eu
lock=${TMPDIR:-/tmp}/holdfast-install-$(id -u).lock
if [ "${HOLDFAST_INSTALL_LOCKED:-}" != yes ]; then
  HOLDFAST_INSTALL_LOCKED=yes exec flock --wait 1200 "$lock" "$0" "$@"
fi

# Another process may have installed them while this one waited.
missing=
for package in "$@"; do
  status=$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.d/holdfast-tests.conf
mark='# Made by install-packages.sh of Holdfast while it installs'
clean() {
  rm -f "$cluster"
  if grep -qsF "$mark" "$policy"; then rm -f "$policy"; fi
}
trap clean EXIT
trap 'exit 1' HUP INT TERM
# One that a killed run left is this one's as well.
if [ ! -e "$policy" ] || grep -qsF "$mark" "$policy"; then
  printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
  chmod 755 "$policy"
fi
mkdir -p "${cluster%/*}"
echo 'create_main_cluster = false' >"$cluster"

export DEBIAN_FRONTEND=noninteractive
apt-get -q -o DPkg::Lock::Timeout=600 update
# shellcheck disable=SC2086 -- names of packages hold no spaces
apt-get -q -y -o DPkg::Lock::Timeout=600 install --no-install-recommends $missing

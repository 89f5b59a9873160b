#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the packages in a fresh Debian 12 that really boots (systemd-nspawn), and looks at everything an administrator
# relies on: start, hardening, watchdog, rights, restart, bus activation, reload, upgrade, remove and purge.
#   boot_test.sh PACKAGES FAMILY CACHE
# PACKAGES: folder of the .deb files; FAMILY: a family of four colours, for where the packages bring none; CACHE: folder
# for the bare root and downloaded packages. Needs root, debootstrap, systemd-nspawn and a
# Debian mirror (this machine's own); exit code 77 where one is missing. Runs for about two minutes.
set -euo pipefail
packages=$(realpath "$1") family=$(realpath "$2")
mkdir -p "$3/archives/partial"
cache=$(realpath "$3")
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
root=$cache/root

say() { printf '\033[1m%s\033[0m\n' "boot-test: $*"; }
skip() { say "skipped: $*"; exit 77; }
[ "$(id -u)" -eq 0 ] || skip "booting a machine needs root"
for program in debootstrap systemd-nspawn nsenter; do
  command -v $program >/dev/null || skip "$program is absent (packages debootstrap, systemd-container, util-linux)"
done

# The mirrors that this machine's apt uses, with their suites: "URI SUITE COMPONENT" lines.
sources() { apt-get indextargets --format '$(REPO_URI) $(SUITE) $(COMPONENT) $(CODENAME)' 'Created-By: Packages' | sort -u; }
mirror=$(sources | awk '$3 == "main" && $4 == "bookworm" { print $1; exit }')
[ -n "$mirror" ] || skip "apt of this machine knows no mirror of Debian 12"

if [ ! -f "$cache/base/complete" ]; then
  say "making a bare Debian 12"
  rm -rf "$cache/base"
  debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,libpam-systemd,polkitd,adduser \
    bookworm "$cache/base" "$mirror" >"$cache/debootstrap.log" 2>&1 || { tail -n 5 "$cache/debootstrap.log"; skip "debootstrap failed"; }
  sources | awk '$3 == "main" && $4 ~ /^bookworm/ { print "deb", $1, $4, "main" }' >"$cache/base/etc/apt/sources.list"
  touch "$cache/base/complete"
fi

nspawn=
inside=
clean_up() {
  if [ -n "$inside" ]; then kill -s RTMIN+4 "$inside" 2>/dev/null || true; fi  # poweroff
  for _ in $(seq 50); do kill -0 "${nspawn:-0}" 2>/dev/null && [ -n "$nspawn" ] || break; sleep 0.2; done
  if [ -n "$nspawn" ]; then kill -9 "$nspawn" 2>/dev/null || true; fi
  rm -rf "$root"
}
trap clean_up EXIT

rm -rf "$root"
cp -a --reflink=auto "$cache/base" "$root"
rm -f "$root/complete"
mkdir "$root/packages" "$root/test"
cp "$packages"/*.deb "$root/packages/"
cp -r "$family" "$root/test/colours"
{ printf 'P6 64 64 255\n'; for _ in $(seq 4096); do printf '\377\0\0'; done; } >"$root/test/red.ppm"
cp "$here/inside.sh" "$root/test/"

say "booting"
# CAP_IPC_LOCK: without it nspawn filters mlock, by which weights stay in memory.
systemd-nspawn -D "$root" -b --capability=CAP_IPC_LOCK --register=no --keep-unit --resolv-conf=copy-host --bind="$cache/archives:/var/cache/apt/archives" \
  >"$cache/console.log" 2>&1 </dev/null &
nspawn=$!
for _ in $(seq 100); do
  inside=$(pgrep -P "$nspawn" -x systemd || true)
  [ -z "$inside" ] || break
  kill -0 "$nspawn" 2>/dev/null || { tail -n 5 "$cache/console.log"; skip "systemd-nspawn cannot boot a machine here"; }
  sleep 0.1
done
[ -n "$inside" ] || skip "systemd-nspawn starts no systemd here"
enter() { nsenter -t "$inside" -m -u -i -n -p env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root "$@"; }
for _ in $(seq 300); do
  state=$(enter systemctl is-system-running 2>/dev/null || true)
  case $state in running | degraded) break ;; esac
  sleep 0.2
done
case ${state:-} in running | degraded) ;; *) tail -n 5 "$cache/console.log"; say "FAILED: the machine does not come up: '$state'"; exit 1 ;; esac

status=0
enter bash /test/inside.sh || status=$?
if [ $status -ne 0 ]; then
  say "journal of dofad"
  enter journalctl -u dofad --no-pager -n 40 || true
fi
exit $status

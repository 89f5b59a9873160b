#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The half of the boot test that runs inside the booted machine.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

started=$SECONDS
# grep that reads to the end: with -q whoever writes to it may die of SIGPIPE, which pipefail takes for a no.
has() { grep "$@" >/dev/null; }
step() { printf '[%3d s] %s\n' $((SECONDS - started)) "$*"; }
fail() { echo "FAILED: $*"; exit 1; }
same() { [ "$2" = "$3" ] || fail "$1: '$3' instead of '$2'"; }
property() { systemctl show -P "$1" dofad.service; }
# soon WORDS COMMAND…: the command succeeds within 60 s.
soon() {
  local words=$1 end=$((SECONDS + 60))
  shift
  until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || fail "$words"; sleep 0.2; done
}
active() { [ "$(property ActiveState)/$(property SubState)" = active/running ]; }
as() { local user=$1; shift; runuser -u "$user" -- "$@"; }
install_packages() { apt-get install -qq -y "$@" >/tmp/apt.log 2>&1 || { tail -n 20 /tmp/apt.log; fail "apt-get install $*"; }; }

apt-get update -qq
step "apt installs dofad with what it depends on"
install_packages /packages/dofad_*.deb /packages/libdofa-client1_*.deb
grep -iE 'warning|error|fail' /tmp/apt.log && fail "apt complains (above)"
for unwanted in libopencv-highgui libopencv-videoio libncurses; do
  dpkg-query -W -f '${Depends}\n' dofad | has "$unwanted" && fail "dofad depends on $unwanted"
done
same "enabled" enabled "$(systemctl is-enabled dofad.service)"
same "enabled by bus name" /lib/systemd/system/dofad.service "$(readlink /etc/systemd/system/dbus-org.dofa.Dofa1.service)"
soon "dofad is not started by its package" active
same "owner of the state directory" dofad:dofad "$(stat -c %U:%G /var/lib/dofad)"

step "a family, an ordinary user of the group, one outside it"
families=$(dofactl list --json 2>/dev/null || dofactl families --json)
picture=/test/red.ppm
if ! grep -q '"name"' <<<"$families"; then
  cp -r /test/colours /var/lib/dofad/families/colours
  dofactl load /var/lib/dofad/families/colours
fi
useradd -m alice && useradd -m mallory
adduser --quiet alice dofad
answer=$(as alice dofactl classify "$picture")
echo "        alice: $answer" | head -n 2
if ! grep -q '"name"' <<<"$families"; then grep -q red <<<"$answer" || fail "a red picture is '$answer'"; fi
refusal=$(as mallory dofactl classify "$picture" 2>&1) && fail "mallory may use dofad"
code=0
as mallory dofactl status >/dev/null 2>&1 || code=$?
same "exit code of a refusal" 4 "$code"
echo "        mallory: $refusal"
grep -q 'sudo adduser mallory dofad' <<<"$refusal" || fail "the refusal does not name the command that grants"
code=0
as alice dofactl reload >/dev/null 2>&1 || code=$?
same "exit code of a reload by an ordinary user" 4 "$code"

step "hardening is on"
pid=$(property MainPID)
same "user" dofad "$(ps -o user= -p "$pid" 2>/dev/null || stat -c %U "/proc/$pid")"
status=$(cat "/proc/$pid/status")
for line in 'NoNewPrivs:\s1' 'Seccomp:\s2' 'CapEff:\s0+$' 'CapBnd:\s0+$'; do
  grep -qE "^$line" <<<"$status" || fail "not $line in: $(grep -E '^(NoNewPrivs|Seccomp|CapEff|CapBnd)' <<<"$status")"
done
nsenter -t "$pid" -m touch /usr/x 2>/dev/null && fail "/usr is writable"
[ -z "$(nsenter -t "$pid" -m ls /home)" ] || fail "/home shows"
nsenter -t "$pid" -m test -e /dev/sda && fail "disks show"
[ "$(nsenter -t "$pid" -n cat /proc/net/dev | grep -c :)" -eq 1 ] || fail "there is a network besides lo"
systemd-analyze security --no-pager dofad.service | tail -n 1
expected='no family is loaded'
# Where whoever runs this test may not lock much memory, no service manager in here can raise that.
grep -qE '^Max locked memory +unlimited +unlimited' /proc/1/limits || expected+='|not locked in memory'
warnings=$(journalctl -t dofad -p warning --no-pager -q -o cat | grep -vE "$expected" || true)
[ -z "$warnings" ] || fail "dofad warns: $warnings"

step "the watchdog is fed, and acts"
same "watchdog" 30s "$(property WatchdogUSec)"
mkdir -p /run/systemd/system/dofad.service.d
printf '[Service]\nWatchdogSec=2s\n' >/run/systemd/system/dofad.service.d/quick.conf
systemctl daemon-reload
systemctl restart dofad
first=$(property WatchdogTimestampMonotonic)
sleep 3
[ "$(property WatchdogTimestampMonotonic)" -gt "$first" ] || fail "nobody feeds the watchdog"
active || fail "the watchdog ended a healthy dofad"
pid=$(property MainPID)
kill -STOP "$pid"
soon "a stuck dofad is not replaced" bash -c "[ \$(systemctl show -P NRestarts dofad) -ge 1 ] && [ \$(systemctl show -P SubState dofad) = running ]"
journalctl -u dofad --no-pager -q | has 'Watchdog timeout' || fail "it was not the watchdog that replaced it"
rm /run/systemd/system/dofad.service.d/quick.conf
systemctl daemon-reload

step "restart after kill -9"
systemctl restart dofad
pid=$(property MainPID)
kill -9 "$pid"
soon "dofad is not restarted" bash -c "[ \$(systemctl show -P MainPID dofad) -gt 0 ] && [ \$(systemctl show -P MainPID dofad) != $pid ] && [ \$(systemctl show -P SubState dofad) = running ]"
as alice dofactl status >/dev/null

step "activation by bus name"
systemctl stop dofad
active && fail "dofad does not stop"
as alice dofactl status >/dev/null || fail "a call does not start dofad"
active || fail "activation does not start the unit"

step "reload keeps a wrong configuration out"
printf 'limits:\n  sessions: 0\n' >>/etc/dofad/dofad.yaml
systemctl reload dofad 2>/dev/null && fail "a reload of a wrong configuration succeeds"
soon "a refused reload is not told" bash -c "journalctl -u dofad -q --no-pager | grep -q 'reload refused'"
active || fail "a wrong configuration ended dofad"
sed -i '$d' /etc/dofad/dofad.yaml && sed -i '$d' /etc/dofad/dofad.yaml
printf 'log:\n  level: debug\n' >>/etc/dofad/dofad.yaml
systemctl reload dofad
journalctl -u dofad -q --no-pager | has 'configuration reloaded' || fail "a reload is not told"

step "metrics on a socket of the group, on a port with its drop-in; the GPU's drop-in"
printf 'metrics:\n  listen: /run/dofad/metrics.sock\n' >>/etc/dofad/dofad.yaml
systemctl restart dofad
same "the metrics' socket" "socket dofad:dofad 660" "$(stat -c '%F %U:%G %a' /run/dofad/metrics.sock)"
port=29465
sed -i "s#listen: .*#listen: 127.0.0.1:$port#" /etc/dofad/dofad.yaml
mkdir -p /etc/systemd/system/dofad.service.d
cp /usr/share/doc/dofad/examples/metrics-port.conf /usr/share/doc/dofad/examples/gpu.conf /etc/systemd/system/dofad.service.d/
systemctl daemon-reload
systemctl restart dofad
exec 3<>"/dev/tcp/127.0.0.1/$port" || fail "nobody listens on the port"
printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3
metrics=$(cat <&3)
exec 3>&-
grep -q '^dofad_build_info{version="' <<<"$metrics" || fail "no metrics come: $metrics"
rm -r /etc/systemd/system/dofad.service.d
systemctl daemon-reload

step "an upgrade keeps configuration and profiles"
mkdir -p /var/lib/dofad/profiles
[ -n "$(ls /var/lib/dofad/profiles)" ] || echo kept >/var/lib/dofad/profiles/kept.yaml
profiles=$(cd /var/lib/dofad/profiles && sha256sum -- *)
before=$(property MainPID)
mkdir /tmp/upgrade
for package in /packages/dofad_*.deb /packages/libdofa-client1_*.deb; do
  dpkg-deb -R "$package" /tmp/upgrade/tree
  sed -i -E 's/^(Version: .*)$/\1+rebuilt/; s/(libdofa-client1 \(= [^)]*)\)/\1+rebuilt)/' /tmp/upgrade/tree/DEBIAN/control
  echo '# a new remark' >/tmp/upgrade/remark
  [ ! -f /tmp/upgrade/tree/etc/dofad/dofad.yaml ] || cat /tmp/upgrade/remark >>/tmp/upgrade/tree/etc/dofad/dofad.yaml
  dpkg-deb -Znone -b /tmp/upgrade/tree "/tmp/upgrade/$(basename "$package")" >/dev/null
  rm -r /tmp/upgrade/tree
done
install_packages -o Dpkg::Options::=--force-confold /tmp/upgrade/*.deb
dpkg-query -W -f '${Version}\n' dofad | has rebuilt || fail "the upgrade did not happen"
grep -q 'level: debug' /etc/dofad/dofad.yaml || fail "the upgrade lost the configuration"
same "profiles" "$profiles" "$(cd /var/lib/dofad/profiles && sha256sum -- *)"
soon "dofad does not run after the upgrade" active
[ "$(property MainPID)" != "$before" ] || fail "the upgrade left the old program running"
as alice dofactl status >/dev/null

step "the tools install, and their programs start"
install_packages -o Dpkg::Options::=--force-confold --allow-downgrades /packages/*.deb
soon "dofad does not run" active
dofa-model --help >/dev/null
dofa-bench policy --json | has '"schema": *1' || fail "dofa-bench does not run"
for page in $(dpkg -L dofad dofa-tools | grep '/man/.*gz$'); do gzip -t "$page"; done

step "remove keeps what is the administrator's, purge leaves nothing"
apt-get remove -qq -y dofad dofa-tools >/tmp/apt.log 2>&1 || { cat /tmp/apt.log; fail "remove"; }
[ -e /etc/dofad/dofad.yaml ] && [ -d /var/lib/dofad/profiles ] || fail "remove took the configuration or the profiles"
systemctl is-active -q dofad && fail "dofad runs after its removal"
apt-get purge -qq -y dofad libdofa-client1 libdofa-client-dev >/tmp/apt.log 2>&1 || { cat /tmp/apt.log; fail "purge"; }
left=$(find / -xdev \( -path /proc -o -path /sys -o -path /packages -o -path /test -o -path /tmp -o -path /var/cache/apt \) -prune -o \
  \( -iname '*dofa*' -print \) 2>/dev/null | grep -v -e '^/var/log/' -e '^/run/systemd/system' || true)
[ -z "$left" ] || fail "purge leaves: $left"
systemctl list-unit-files --no-legend 'dofad*' | has . && fail "systemd still knows dofad"
step "passed"

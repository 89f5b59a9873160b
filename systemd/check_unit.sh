#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_unit.sh DOFAD.SERVICE EXAMPLES: the unit, alone and with each drop-in, is clean for `systemd-analyze verify`, and
# its exposure for `systemd-analyze security` is at most 2.0. Proves first, on broken copies, that it can fail.
set -euo pipefail
unit=$1 examples=$2
command -v systemd-analyze >/dev/null || { echo "skipped: systemd-analyze is absent"; exit 77; }
limit=2.0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# prepare NAME: a folder with the unit whose programs exist (verify asks for them).
prepare() {
  mkdir -p "$scratch/$1/dofad.service.d"
  sed -E 's#^Exec(Start|Reload)=.*#Exec\1=/bin/true#' "$unit" >"$scratch/$1/dofad.service"
  echo "$scratch/$1"
}
# verify FOLDER: silent and successful where the unit is clean. Its manual pages have a test of their own.
verify() { systemd-analyze verify --man=no "$1/dofad.service" 2>&1 || true; }
# exposure FOLDER: 0.0 (safe) to 10.0.
exposure() { systemd-analyze security --offline=true --no-pager "$1/dofad.service" | sed -n 's/.*exposure level for [^:]*: \([0-9.]*\) .*/\1/p'; }
at_most() { awk -v value="$1" -v limit="$2" 'BEGIN { exit !(value != "" && value + 0 <= limit + 0) }'; }
fail() { echo "FAILED: $*"; exit 1; }

broken=$(prepare broken)
echo 'RestrictEverything=yes' | sed -i '/^\[Service\]/r /dev/stdin' "$broken/dofad.service"
[ -n "$(verify "$broken")" ] || fail "an unknown key passes unseen"
open=$(prepare open)
sed -Ei '/^(Protect|Private|Restrict|System|Capability|NoNew)/d' "$open/dofad.service"
at_most "$(exposure "$open")" $limit && fail "a unit without hardening passes as hardened"

plain=$(prepare plain)
said=$(verify "$plain")
[ -z "$said" ] || fail "$said"
level=$(exposure "$plain")
at_most "$level" $limit || fail "exposure '$level' is above $limit"
echo "dofad.service: clean, exposure $level (limit $limit)"

for drop_in in gpu metrics-port; do
  folder=$(prepare "$drop_in")
  cp "$examples/$drop_in.conf" "$folder/dofad.service.d/"
  said=$(verify "$folder")
  [ -z "$said" ] || fail "$drop_in.conf: $said"
  echo "with $drop_in.conf: clean, exposure $(exposure "$folder")"
done

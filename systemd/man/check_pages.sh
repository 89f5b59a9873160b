#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_pages.sh SOURCE: every manual page is clean for groff and mandoc (whichever is there), and the pages of the
# configuration and the bus interface leave out no key and no member. Proves first that it can fail.
set -euo pipefail
cd "$1"
failed=0
complain() { echo "$*"; failed=1; }

# complaints PAGE: what the tools say against it.
complaints() {
  # Date, section name and layout of .TH are matters of taste; groff wants none of them.
  if command -v mandoc >/dev/null; then mandoc -Tlint -Wwarning "$1" | grep -v -e 'missing date' -e 'cannot parse date' || true; fi
  if command -v groff >/dev/null; then groff -man -Tutf8 -wmac -wel -wbreak -Z "$1" 2>&1 >/dev/null; fi
}
command -v mandoc >/dev/null || command -v groff >/dev/null || { echo "skipped: neither mandoc nor groff is there"; exit 77; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
printf '.TH BROKEN 1\n.SH NAME\nbroken \\- x\n.BX\n.nosuchmacro x\n.TP\n' >"$scratch/broken.1"
[ -n "$(complaints "$scratch/broken.1")" ] || complain "a broken page passes unseen"

pages=$(find client models proto systemd tests -name '*.[1578]' | sort)
for page in $pages; do
  said=$(complaints "$page")
  [ -z "$said" ] || complain "$page: $said"
  head -n 1 "$page" | grep -q SPDX || complain "$page: no licence"
done

# Words of a page, unescaped.
words() { sed -e 's/\\-/-/g' -e 's/\\fI//g' "$1"; }
interface=$(words systemd/man/org.dofa.Dofa1.5)
names=$(grep -ohE '<(method|property|signal) name="[^"]+"' proto/org.dofa.Dofa1.*.xml | sed 's/.*"\(.*\)"/\1/')
[ -n "$names" ] || complain "the interface has no members"
for name in $names; do
  grep -qE "(^|[^A-Za-z])$name( |\()" <<<"$interface" || complain "org.dofa.Dofa1(5) leaves out $name"
done
for name in $(sed -n '/kErrorNames{/,/};/p' proto/names.hpp | grep -oE '"[A-Za-z]+"' | tr -d '"'); do
  grep -qE "^\.B $name$" <<<"$interface" || complain "org.dofa.Dofa1(5) leaves out the error $name"
done
# "section:" lines hold the keys that follow them.
keys=$(sed -nE 's/^#([a-z_]+):.*/\1:/p; s/^#  ([a-z_]+): .*/\1/p' etc/dofad.yaml | awk '/:$/ { section = substr($0, 1, length - 1); next } { print section "." $0 }')
[ -n "$keys" ] || complain "the configuration has no keys"
for key in $keys; do
  grep -qE "^\.BR ${key//./\\.} " systemd/man/dofad.yaml.5 || complain "dofad.yaml(5) leaves out $key"
done
[ $failed -eq 0 ] && echo "$(wc -w <<<"$pages") pages are clean"
exit $failed

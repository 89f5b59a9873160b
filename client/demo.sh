#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A dofad of its own on a private bus classifies a handful of photos; everything is stopped by pid and removed at the end.
# Run by `./bootstrap.sh demo`, which builds first.
set -euo pipefail
umask 022
cd "$(dirname "${BASH_SOURCE[0]}")/.."

shared=${DOFA_SHARED:-../shared}
home=$(mktemp -d /tmp/dofa-demo-XXXXXX)
pids=()
cleanup() {
  for pid in $(printf '%s\n' "${pids[@]}" | tac); do  # dofad before its bus
    kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
  done
  rm -rf "$home"
}
trap cleanup EXIT

# The embedded family where there is one, else the real ImageNet networks beside a developer's checkout.
roots=$home/families
photos=()
mkdir "$roots"
if [ -f models/cifar10/family.yaml ]; then
  family=cifar10
  cp -r models/cifar10 "$roots/"
  photos=(tests/data/*.png)
elif [ -d "$shared/models/mobilenet_v1" ] && [ -d "$shared/data/val20" ]; then
  family=mobilenet_v1
  models=$(realpath "$shared/models")
  roots="$roots, $models"
  mkdir "$home/families/mobilenet_v1"
  {
    printf 'schema: 1\nname: mobilenet_v1\nkind: torchscript\ntask: classification\nclasses: 1000\n'
    printf 'labels: %s/mobilenet_v1/labels.txt\n' "$models"
    printf 'preprocessing: {crop_ratio: 0.875, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}\nsubnets:\n'
    for net in 0.25_128 0.5_160 0.75_192 1.0_224; do
      printf '  - {name: "%s", resolution: %s, file: "%s/mobilenet_v1/mobilenet_v1_%s.pt"}\n' "$net" "${net#*_}" "$models" "$net"
    done
  } >"$home/families/mobilenet_v1/family.yaml"
  for class in n02979186 n03028079 n03417042 n03888257 n02099601; do
    photos+=("$(find "$shared/data/val20/$class" -name '*.JPEG' | sort | sed -n 7p)")
  done
else
  echo "demo: there is no family to show yet: models/ ships none and ../shared/models is absent"
  exit 0
fi
printf 'families:\n  roots: [%s]\n' "$roots" >"$home/dofad.yaml"

cat >"$home/bus.conf" <<CONF
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=$home/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow eavesdrop="false" send_destination="*"/>
    <allow eavesdrop="false" send_type="signal"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
CONF
dbus-daemon --config-file="$home/bus.conf" --nofork --nopidfile 2>"$home/bus.log" &
pids+=($!)
build/dofad --config "$home/dofad.yaml" --bus "unix:path=$home/bus" 2>"$home/dofad.log" &
pids+=($!)
for _ in $(seq 1200); do  # a small board dry-runs its networks for a while
  grep -q 'serves on' "$home/dofad.log" && break
  kill -0 "${pids[1]}" 2>/dev/null || break
  sleep 0.1
done
grep -q 'serves on' "$home/dofad.log" && grep -q "family '$family' loaded" "$home/dofad.log" || { cat "$home/dofad.log" >&2; exit 1; }

dofactl=(build/dofactl --bus "unix:path=$home/bus")
"${dofactl[@]}" status
echo
"${dofactl[@]}" show "$family"
echo
"${dofactl[@]}" classify --family "$family" --top 5 "${photos[@]}"

# The promise: two applications with contracts, other programs take the CPU in the middle.
echo
echo "Two applications share $family: 'camera' wants accuracy, 'robot' wants answers fast. Six CPU hogs come and go."
# A network of half a millisecond waits for its turn rather than for itself: less than the scheduler's slices nobody can promise.
build/dofa-bench live --bus "unix:path=$home/bus" --family "$family" --least-budget-ms 25 --two --seconds 4 --table --plot build/demo.svg
echo "Latency of every frame by level: build/demo.svg"

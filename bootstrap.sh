#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a bare Debian 12 machine to a running dofad:
#   ./bootstrap.sh build   install what is missing, configure, build in build/
#   ./bootstrap.sh demo    build, then classify a few photos through a dofad of its own
#   ./bootstrap.sh test    build, then run every test (fuzzers for FUZZ_SECONDS each, default 20)
#   ./bootstrap.sh soak    the long forms of fuzzers and soak tests (10 minutes each)
# A second run installs and builds nothing that is there already.
set -euo pipefail
umask 022  # families that others may write are refused
cd "$(dirname "${BASH_SOURCE[0]}")"

# Relative paths in the cache: another checkout of the same files finds them too.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

PACKAGES=(g++ cmake ninja-build pkg-config lld ccache dbus
  libtorch-dev libopenblas0-pthread  # LibTorch on the reference BLAS is several times slower
  libsdbus-c++-dev libsdbus-c++-bin libspdlog-dev libyaml-cpp-dev libhwy-dev
  libopencv-imgcodecs-dev libopencv-imgproc-dev catch2)
FUZZ_PACKAGES=(clang libclang-rt-dev)

say() { printf '\033[1m%s\033[0m\n' "bootstrap: $*" >&2; }
fail() { say "$*"; exit 1; }

# install PACKAGE…: through apt-get, as root or through sudo, only what is missing.
install() {
  local missing=() package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) == *'ok installed'* ]] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail "needs these Debian packages, and there is no apt-get: ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "needs root or sudo to install: ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# configure PRESET: once; CMake itself notices later changes.
configure() {
  local directory=build
  [ "$1" = release ] || directory="build-$1"
  [ -f "$directory/build.ninja" ] || cmake --preset "$1" -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
    -DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld -DCMAKE_SHARED_LINKER_FLAGS=-fuse-ld=lld
}

build() {
  install "${PACKAGES[@]}"
  configure release
  cmake --build --preset release
}

# fuzz SECONDS: every fuzzer for that long, on the corpus it grew before.
fuzz() {
  install "${FUZZ_PACKAGES[@]}"
  configure fuzz
  cmake --build --preset fuzz
  local fuzzer name seed seeds
  for fuzzer in build-fuzz/fuzz/dofa-fuzz-*; do
    [ -x "$fuzzer" ] || continue
    name=${fuzzer##*/dofa-fuzz-}
    say "fuzzing $name for $1 s"
    mkdir -p "build-fuzz/corpus/$name"
    seeds=()
    for seed in tests/fuzz/*/corpus/"$name" tests/fuzz/*/seeds/"$name"; do [ -d "$seed" ] && seeds+=("$seed"); done
    "$fuzzer" -max_total_time="$1" -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
      -artifact_prefix="build-fuzz/$name-" "build-fuzz/corpus/$name" "${seeds[@]}" 2>&1 | tail -n 8
  done
}

case "${1:-}" in
  build) build ;;
  demo) build && exec client/demo.sh ;;
  test)
    build
    fuzz "${FUZZ_SECONDS:-20}"
    ctest --test-dir build --output-on-failure
    ;;
  soak)
    build
    fuzz "${FUZZ_SECONDS:-600}"
    DOFA_SOAK_SECONDS=${DOFA_SOAK_SECONDS:-600} ctest --test-dir build --output-on-failure --no-tests=error -L soak
    ;;
  *) fail "usage: ./bootstrap.sh build|demo|test|soak" ;;
esac

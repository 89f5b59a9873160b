#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a bare Debian 12 machine to a running dofad:
#   ./bootstrap.sh build   install what is missing, configure, build in build/
#   ./bootstrap.sh demo    build, then classify a few photos through a dofad of its own
#   ./bootstrap.sh test    build, then run every test (fuzzers for FUZZ_SECONDS each, default 20)
#   ./bootstrap.sh build-cuda  fetch a LibTorch with CUDA (2 GB, needs pip and the CUDA toolkit), build with it in build-cuda/
#   ./bootstrap.sh deb     build, then make the Debian packages in build/packages/ (and ask lintian, where it is installed)
#   ./bootstrap.sh boot-test  install the packages in a fresh Debian 12 that really boots; as root, takes minutes
#   ./bootstrap.sh soak    the long forms of fuzzers and soak tests (10 minutes each)
# A second run installs and builds nothing that is there already.
set -euo pipefail
umask 022  # families that others may write are refused
cd "$(dirname "${BASH_SOURCE[0]}")"

# Relative paths in the cache: another checkout of the same files finds them too.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

PACKAGES=(g++ cmake ninja-build pkg-config lld ccache dbus systemd
  libtorch-dev libopenblas0-pthread  # LibTorch on the reference BLAS is several times slower
  libsdbus-c++-dev libsdbus-c++-bin libspdlog-dev libyaml-cpp-dev libhwy-dev prometheus-cpp-dev libcpp-httplib-dev
  libopencv-imgcodecs-dev libopencv-imgproc-dev libopencv-videoio-dev catch2
  libncurses-dev nlohmann-json3-dev tmux)
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

# pip_fetch PACKAGE…: wheels unpacked in $1, once.
LIBTORCH=.cache/libtorch-cuda
pip_fetch() {
  local package
  for package in "$@"; do
    [ -e "$LIBTORCH/done/${package%%=*}" ] && continue
    say "fetching $package"
    rm -rf "$LIBTORCH/new"
    mkdir -p "$LIBTORCH/new" "$LIBTORCH/site" "$LIBTORCH/done"
    python3 -m pip download --quiet --no-deps --dest "$LIBTORCH/new" "$package"
    python3 -m zipfile -e "$LIBTORCH"/new/*.whl "$LIBTORCH/site"
    rm -rf "$LIBTORCH/new"
    touch "$LIBTORCH/done/${package%%=*}"
  done
}

# fetch_libtorch_cuda: the torch wheel, and of the libraries that it names those that the system lacks.
fetch_libtorch_cuda() {
  pip_fetch "torch==${DOFA_TORCH:-2.15.0}"  # newer ones may do as well
  local wanted library missing=()
  # The wheel's own list has exact versions; package names differ from one CUDA version to the next.
  wanted=$(grep -hoE '^Requires-Dist: nvidia-[a-z0-9-]+==[0-9.]+' "$LIBTORCH"/site/torch-*.dist-info/METADATA | cut -d' ' -f2 || true)
  # Missing libraries, or what an older one of the system lacks.
  while read -r library; do
    case $library in
      libcufile.so*) missing+=(nvidia-cufile) ;;
      libcusparseLt.so* | cusparseLt*) missing+=("$(grep cusparselt <<<"$wanted")") ;;
      libnvshmem_host.so* | nvshmem*) missing+=("$(grep nvshmem <<<"$wanted")") ;;
      libnccl.so* | nccl*) missing+=("$(grep nccl <<<"$wanted")") ;;
      libcudnn*.so* | cudnn*) missing+=("$(grep cudnn <<<"$wanted")") ;;
      libtorch* | libc10*) ;;
      *) fail "LibTorch needs $library, which is part of the CUDA toolkit" ;;
    esac
  done < <(LD_LIBRARY_PATH="$CUDA_HOME/lib64" ldd -r "$LIBTORCH"/site/torch/lib/libtorch_cuda.so 2>&1 |
    awk '/=> not found/ {print $1} /undefined symbol:/ {print $3}' | sed -E 's/^(nccl|cudnn|nvshmem|cusparseLt).*/\1/' | sort -u)
  [ ${#missing[@]} -eq 0 ] || pip_fetch "${missing[@]}"
}

# build_cuda: what needs D-Bus libraries too where they are there.
build_cuda() {
  export CUDA_HOME=${CUDA_HOME:-/usr/local/cuda}
  [ -x "$CUDA_HOME/bin/nvcc" ] || fail "needs the CUDA toolkit 13 or later: no nvcc in $CUDA_HOME/bin (set CUDA_HOME)"
  python3 -m pip --version >/dev/null 2>&1 || install python3-pip
  install g++ cmake ninja-build pkg-config lld ccache libyaml-cpp-dev libhwy-dev libopencv-imgcodecs-dev catch2 nlohmann-json3-dev
  fetch_libtorch_cuda
  local daemon=ON
  pkg-config --exists sdbus-c++ spdlog || daemon=OFF
  [ -f build-cuda/build.ninja ] || CUDACXX=$CUDA_HOME/bin/nvcc cmake --preset cuda -DDOFA_DAEMON=$daemon \
    -DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld -DCMAKE_SHARED_LINKER_FLAGS=-fuse-ld=lld
  cmake --build --preset cuda
  ctest --test-dir build-cuda --output-on-failure --no-tests=error -R '^unit\.(cuda|ofa|elastic|frames)'
}

# packages: the .deb files in build/packages/, and nothing else there.
packages() {
  build
  cmake -DCMAKE_INSTALL_PREFIX=/usr build >/dev/null  # a build directory of an older checkout may have another
  cmake --build --preset release
  rm -rf build/packages
  install dpkg-dev file  # dpkg-shlibdeps
  (cd build && cpack -G DEB)
  rm -rf build/packages/_CPack_Packages
  if command -v lintian >/dev/null; then
    lintian --allow-root --fail-on error build/packages/*.deb
  else
    say "lintian is not installed: the packages are not checked"
  fi
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
  build-cuda) build_cuda ;;
  deb) packages ;;
  boot-test)
    packages
    rm -rf build/boot-test/colours
    build/tests/dofa-boot-family build/boot-test/colours
    tests/boot/boot_test.sh build/packages build/boot-test/colours build/boot-test || [ $? -eq 77 ]
    ;;
  soak)
    build
    fuzz "${FUZZ_SECONDS:-600}"
    DOFA_SOAK_SECONDS=${DOFA_SOAK_SECONDS:-600} ctest --test-dir build --output-on-failure --no-tests=error -L soak
    ;;
  *) fail "usage: ./bootstrap.sh build|build-cuda|demo|test|deb|boot-test|soak" ;;
esac

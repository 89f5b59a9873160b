#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What an application's author does: installs (into a directory of the test's own), then builds the examples against
# what was installed, by pkg-config and by CMake. Usage: install_test.sh BUILD SOURCE
set -euo pipefail
build=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "install: $*" >&2; exit 1; }

DESTDIR=$work/root cmake --install "$build" >"$work/install.log" || { cat "$work/install.log"; fail "does not install"; }
prefix=$work/root$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$build/CMakeCache.txt")
pc=$(find "$prefix" -name dofa-client.pc)
[ -n "$pc" ] || fail "dofa-client.pc is missing"
libraries=$(dirname "$(find "$prefix" -name 'libdofa-client.so')")
export LD_LIBRARY_PATH=$libraries

# runs PROGRAM: it loads, and says that there is no bus rather than that something is missing.
runs() {
  local said
  said=$(DOFA_BUS=unix:path=/nonexistent "$@" 2>&1) && fail "$1 reached a bus that is not there"
  [[ $said == *"cannot reach the bus"* ]] || fail "$1 says: $said"
}

export PKG_CONFIG_PATH=$(dirname "$pc")
read -ra flags <<<"$(pkg-config --cflags --libs dofa-client)"
cc -std=c99 -Wall -Werror "$source/client/examples/infer.c" "${flags[@]}" -o "$work/infer"
c++ -std=c++20 -Wall -Werror -O0 "$source/client/examples/stream_camera.cpp" "${flags[@]}" -o "$work/stream-camera"
echo "pkg-config: $(pkg-config --modversion dofa-client)"

mkdir "$work/project"
cat >"$work/project/CMakeLists.txt" <<CMAKE
cmake_minimum_required(VERSION 3.25)
project(application C CXX)
find_package(dofa-client 1 REQUIRED)
add_executable(infer $source/client/examples/infer.c)
target_link_libraries(infer PRIVATE dofa::client)
CMAKE
cmake -S "$work/project" -B "$work/project/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >"$work/cmake.log" ||
  { cat "$work/cmake.log"; fail "find_package does not find it"; }
cmake --build "$work/project/build" >"$work/cmake.log" || { cat "$work/cmake.log"; fail "does not build by CMake"; }

"$prefix/bin/dofactl" --version || fail "dofactl does not run where it is installed"
runs "$prefix/bin/dofactl" status
runs "$prefix/bin/dofactl" bench-client
runs "$work/infer" unix:path=/nonexistent
runs "$work/project/build/infer" unix:path=/nonexistent
video=$(find "$prefix" -name dofactl-video)
if [ -n "$video" ]; then
  # Found from where dofactl lies now, which is not where it was configured to be.
  said=$("$prefix/bin/dofactl" stream 4711 2>&1) && fail "there is a camera 4711"
  [[ $said == *"4711: is no folder, video file or camera that can be read"* ]] || fail "dofactl-video: $said"
fi
grep -q 'org.dofa.Dofa1.manage-families' "$prefix/share/polkit-1/actions/org.dofa.Dofa1.policy" || fail "no polkit actions"
echo "install: ok"

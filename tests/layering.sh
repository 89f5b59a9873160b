#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fails where a room includes what its row in the design forbids. `layering.sh ROOT` checks a tree; run without a
# violation it first proves on a broken copy that it can fail.
set -euo pipefail
root=$1

# room | project includes allowed (prefixes) | libraries allowed
rows='
proto|proto/|sdbus-c++
daemon/config|daemon/base.hpp daemon/config/|yaml-cpp
daemon/monitor|daemon/base.hpp daemon/monitor/|
daemon/policy|daemon/base.hpp daemon/policy/|
daemon/host|daemon/base.hpp daemon/host/|
daemon/engine/kernels|daemon/base.hpp daemon/engine/kernels/|hwy
daemon/engine/checkpoint|daemon/base.hpp daemon/engine/checkpoint/|
daemon/engine/cuda|daemon/base.hpp daemon/config/ daemon/engine/|cuda cuda_runtime cuda_runtime_api cuda_fp16 cublasLt
daemon/engine|daemon/base.hpp daemon/config/ daemon/engine/|torch ATen c10 caffe2
daemon/control|daemon/base.hpp daemon/config/ daemon/monitor/ daemon/policy/ daemon/engine/ daemon/control/|spdlog
daemon/stream|daemon/base.hpp proto/frame_ring.h daemon/engine/image.hpp daemon/policy/ daemon/control/ daemon/stream/|spdlog
daemon/metrics|daemon/base.hpp daemon/policy/ daemon/engine/family.hpp daemon/control/ daemon/metrics/|prometheus httplib
daemon/bus|daemon/base.hpp proto/ dbus/ daemon/engine/image.hpp daemon/policy/contract.hpp daemon/control/ daemon/stream/ daemon/bus/|sdbus-c++ spdlog
models/train|daemon/base.hpp daemon/config/ daemon/engine/ models/train/|torch ATen c10 hwy
client/top|proto/ client/ dofa/|ncurses dofa
client|proto/ dbus/ client/ dofa/|sdbus-c++ opencv2 nlohmann dofa
models/search|daemon/base.hpp daemon/config/ daemon/engine/subnet.hpp daemon/engine/supernet.hpp daemon/engine/checkpoint/ models/search/|ATen c10
'
libraries='torch|ATen|c10|caffe2|hwy|yaml-cpp|spdlog|sdbus-c\+\+|opencv2|catch2|cuda|cuda_runtime|cuda_runtime_api|cuda_fp16|cublasLt|cublas_v2|cudnn|nvml|ncurses|nlohmann|prometheus|httplib'

violations() {
  local tree=$1 room project allowed line file include
  while IFS='|' read -r room project allowed; do
    [ -n "$room" ] && [ -d "$tree/$room" ] || continue
    while IFS= read -r file; do
      # A folder with a row of its own is judged by that row.
      case "$room:$file" in daemon/engine:*/engine/kernels/* | daemon/engine:*/engine/checkpoint/* | daemon/engine:*/engine/cuda/* | client:*/client/top/*) continue ;; esac
      while IFS= read -r line; do
        include=${line#*[\"<]}
        include=${include%%[\">]*}
        local ok=no prefix
        if [[ $line == *\"* ]]; then
          for prefix in $project; do [[ $include == "$prefix"* ]] && ok=yes; done
        elif [[ $include =~ ^($libraries)(/|$|\.h) ]]; then
          for prefix in $allowed; do [[ $include == "$prefix"/* || $include == "$prefix".h* ]] && ok=yes; done
        else
          ok=yes
        fi
        [ $ok = yes ] || echo "${file#"$tree"/}: $room may not include $include"
      done < <(grep -hE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]' "$file" || true)
    done < <(find "$tree/$room" -type f \( -name '*.cpp' -o -name '*.hpp' -o -name '*.h' -o -name '*.c' -o -name '*.cu' \))
  done <<<"$rows"
  # LibTorch's CUDA half counts as CUDA.
  grep -rlE '#[[:space:]]*include[[:space:]]*[<"](ATen|c10|torch)/cuda' "$tree/daemon" "$tree/models" --include='*.[ch]pp' 2>/dev/null | grep -v '/engine/cuda/' | sed 's|$|: only daemon/engine/cuda/ may see CUDA|' || true
  # sdbus-c++ 1.x or 2.x is one header's business.
  grep -rlE 'DOFA_SDBUS_V2' "$tree/daemon" "$tree/client" --include='*.[ch]pp' 2>/dev/null | sed 's|$|: only proto/compat.hpp may ask for the sdbus-c++ version|' || true
}

found=$(violations "$root")
if [ -n "$found" ]; then
  echo "$found"
  exit 1
fi
broken=$(mktemp -d)
trap 'rm -rf "$broken"' EXIT
mkdir -p "$broken/daemon/policy" "$broken/daemon/monitor" "$broken/daemon/engine/cuda"
echo '#include <torch/torch.h>' >"$broken/daemon/policy/a.cpp"
echo '#include "daemon/control/runtime.hpp"' >"$broken/daemon/monitor/b.hpp"
echo '#include <cuda_runtime_api.h>' | tee "$broken/daemon/engine/c.cpp" >"$broken/daemon/engine/cuda/allowed.cu"
echo '#include <ATen/cuda/CUDAContext.h>' >"$broken/daemon/engine/d.cpp"
[ "$(violations "$broken" | wc -l)" -eq 4 ] || { echo "the check does not see violations"; exit 1; }
echo "every room keeps to its row"

// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/thread.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <dlfcn.h>

namespace dofa::engine {

void prepare_inference_thread(bool onednn) {
  at::set_num_threads(1);
  // LibTorch does not pass its thread count on to OpenBLAS's own pool; which BLAS is installed is not ours to
  // know.
  using SetThreads = void (*)(int);
  if (const auto set = reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))) set(1);
  at::globalContext().setFlushDenormal(true);
  if (!onednn) at::globalContext().setUserEnabledMkldnn(false);
}

}  // namespace dofa::engine

// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/thread.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

namespace dofa::engine {

void prepare_inference_thread(bool onednn) {
  at::set_num_threads(1);
  at::globalContext().setFlushDenormal(true);
  if (!onednn) at::globalContext().setUserEnabledMkldnn(false);
}

}  // namespace dofa::engine

// SPDX-License-Identifier: Apache-2.0
// What a thread does once before it runs networks.
#pragma once

namespace dofa::engine {

/// Makes the calling thread fit for inference: one LibTorch thread a request (lanes give the parallelism; a
/// second one waits for whichever core was taken away), denormals flushed to zero. `onednn` false keeps
/// LibTorch off oneDNN for the whole process.
void prepare_inference_thread(bool onednn);

}  // namespace dofa::engine

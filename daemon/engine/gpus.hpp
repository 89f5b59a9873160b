// SPDX-License-Identifier: Apache-2.0
// The GPUs on which this build can run sub-networks. Stateless; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dofa::engine {

struct Gpu {
  std::string processor;           ///< "cuda:0"; the number is CUDA's
  std::string model;               ///< as the driver names it, e.g. "NVIDIA H100 80GB HBM3"
  std::string driver;              ///< versions of driver and runtime: profiles of another are measured anew
  std::string pci_address;         ///< "0000:01:00.0"; empty where the driver does not tell
  std::uint64_t memory_bytes = 0;  ///< of the device
};

/// Empty where the build has no CUDA (DOFA_CUDA), or the machine no driver or no GPU.
std::vector<Gpu> find_gpus();

}  // namespace dofa::engine

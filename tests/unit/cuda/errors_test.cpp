// SPDX-License-Identifier: Apache-2.0
// CUDA's errors as ours, and a machine without a GPU. Needs no GPU.
#include "daemon/engine/cuda/device.hpp"
#include "daemon/engine/gpus.hpp"
#include "daemon/engine/ofa_gpu.hpp"
#include "tests/support/catch.hpp"

namespace dofa::engine::cuda {

TEST_CASE("out of memory is a limit reached; everything else takes the processor away") {
  CHECK(error_of(cudaErrorMemoryAllocation, "x").code == ErrorCode::kResourceExhausted);
  for (const cudaError_t status : {cudaErrorIllegalAddress, cudaErrorLaunchFailure, cudaErrorECCUncorrectable,
                                   cudaErrorDevicesUnavailable, cudaErrorNoDevice, cudaErrorUnknown}) {
    const Error error = error_of(status, "running a level");
    CHECK(error.code == ErrorCode::kNotReady);
    CHECK(error.message.starts_with("running a level: "));
    CHECK(error.message.find('\n') == std::string::npos);
    CHECK(error.message.find(cudaGetErrorName(status)) != std::string::npos);
  }
}

TEST_CASE("check() throws what failed and nothing for success") {
  CHECK_NOTHROW(check(cudaSuccess, "x"));
  try {
    check(cudaErrorMemoryAllocation, "allocating");
    FAIL("did not throw");
  } catch (const Fault& fault) {
    CHECK(fault.error.code == ErrorCode::kResourceExhausted);
  }
}

TEST_CASE("processors are named cuda:N") {
  CHECK(device_index("cuda:0") == 0);
  CHECK(device_index("cuda:12") == 12);
  for (const char* name : {"cpu", "cuda:", "cuda:-1", "cuda:1x", "CUDA:0", "cuda:99999999999"})
    CHECK(device_index(name) == -1);
}

TEST_CASE("without a GPU there is none, and nobody throws") {
  if (!find_gpus().empty()) return;
  CHECK(make_ofa_gpu(std::make_shared<OfaModel>()) == nullptr);
  const auto backend = make_ofa_gpu_backend(std::make_shared<OfaModel>(), {});
  REQUIRE_FALSE(backend.ok());
  CHECK(backend.error().code == ErrorCode::kNotSupported);
  CHECK_FALSE(free_gpu_memory("cuda:0").has_value());
}

}  // namespace dofa::engine::cuda

// SPDX-License-Identifier: Apache-2.0
// The CUDA runtime's objects with owners, and its errors as ours. Inside this room a failing call throws
// Fault, which no function that other rooms see lets out. Each object belongs to one thread at a time and to
// the GPU that was current when it was made; freeing on a lost GPU is no error.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include "daemon/base.hpp"

namespace dofa::engine::cuda {

struct Fault {
  Error error;
};

/// Out of memory → kResourceExhausted; all else → kNotReady: a launch that failed or a GPU that is gone takes
/// the process's context with it, and a call refused for another reason would be refused again. One line.
Error error_of(cudaError_t status, const char* doing);
/// Throws where the call failed, and takes the error out of the runtime's per-thread memory.
void check(cudaError_t status, const char* doing);
/// "cuda:3" → 3; anything else → -1.
int device_index(const std::string& processor);

namespace detail {
template <auto Release>
struct Releaser {
  template <class T>
  void operator()(T* object) const {
    (void)Release(object);
    (void)cudaGetLastError();
  }
};
}  // namespace detail

using Stream = std::unique_ptr<std::remove_pointer_t<cudaStream_t>, detail::Releaser<cudaStreamDestroy>>;
using Event = std::unique_ptr<std::remove_pointer_t<cudaEvent_t>, detail::Releaser<cudaEventDestroy>>;
using Graph = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, detail::Releaser<cudaGraphDestroy>>;
using GraphExec =
    std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, detail::Releaser<cudaGraphExecDestroy>>;

/// Of the highest priority the GPU offers: within this process inference goes before profiling and warming
/// up.
Stream make_stream();
/// Threads that wait on it without spinning sleep.
Event make_event();

/// Uninitialised memory, freed by `Release`.
template <cudaError_t (*Release)(void*)>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t bytes);
  [[nodiscard]] std::byte* data() const { return memory_.get(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  template <class T>
  [[nodiscard]] T* as() const {
    return reinterpret_cast<T*>(memory_.get());
  }

 private:
  std::unique_ptr<std::byte, detail::Releaser<Release>> memory_;
  std::size_t bytes_ = 0;
};
using DeviceBuffer = Buffer<cudaFree>;      ///< of the GPU
using PinnedBuffer = Buffer<cudaFreeHost>;  ///< of the host, where the GPU reads and writes it
template <>
DeviceBuffer::Buffer(std::size_t bytes);
template <>
PinnedBuffer::Buffer(std::size_t bytes);

/// Copies once, waiting for it: for what is uploaded at start.
void upload(DeviceBuffer& to, const void* from, std::size_t bytes);

}  // namespace dofa::engine::cuda

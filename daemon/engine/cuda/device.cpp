// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/cuda/device.hpp"

#include <charconv>
#include <string>
#include <string_view>

namespace dofa::engine::cuda {

Error error_of(cudaError_t status, const char* doing) {
  const bool memory = status == cudaErrorMemoryAllocation;
  std::string message =
      std::string(doing) + ": " + cudaGetErrorString(status) + " (" + cudaGetErrorName(status) + ")";
  return {memory ? ErrorCode::kResourceExhausted : ErrorCode::kNotReady, std::move(message)};
}

void check(cudaError_t status, const char* doing) {
  if (status == cudaSuccess) return;
  (void)cudaGetLastError();
  throw Fault{error_of(status, doing)};
}

int device_index(const std::string& processor) {
  constexpr std::string_view kPrefix = "cuda:";
  if (!processor.starts_with(kPrefix)) return -1;
  int index = -1;
  const char* const end = processor.data() + processor.size();
  const auto [rest, fault] = std::from_chars(processor.data() + kPrefix.size(), end, index);
  return fault == std::errc{} && rest == end && index >= 0 ? index : -1;
}

Stream make_stream() {
  int least = 0, greatest = 0;
  check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "asking for stream priorities");
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, greatest), "making a stream");
  return Stream(stream);
}

Event make_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventBlockingSync), "making an event");
  return Event(event);
}

template <>
DeviceBuffer::Buffer(std::size_t bytes) : bytes_(bytes) {
  void* memory = nullptr;
  check(cudaMalloc(&memory, bytes), "allocating GPU memory");
  memory_.reset(static_cast<std::byte*>(memory));
}

template <>
PinnedBuffer::Buffer(std::size_t bytes) : bytes_(bytes) {
  void* memory = nullptr;
  check(cudaMallocHost(&memory, bytes), "allocating pinned memory");
  memory_.reset(static_cast<std::byte*>(memory));
}

void upload(DeviceBuffer& to, const void* from, std::size_t bytes) {
  check(cudaMemcpy(to.data(), from, bytes, cudaMemcpyHostToDevice), "copying to the GPU");
  // From pageable memory it may return before the last bytes arrive, and our streams do not wait for the
  // default one.
  check(cudaStreamSynchronize(cudaStreamLegacy), "copying to the GPU");
}

}  // namespace dofa::engine::cuda

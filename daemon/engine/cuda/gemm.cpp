// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/cuda/gemm.hpp"

#include <cuda_fp16.h>

#include <array>
#include <limits>
#include <span>
#include <string>

namespace dofa::engine::cuda {
namespace {

constexpr std::size_t kWorkspaceBytes = 8ULL << 20;  // what the library's own handles take on small GPUs

void check_blas(cublasStatus_t status, const char* doing) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  const bool memory = status == CUBLAS_STATUS_ALLOC_FAILED;
  throw Fault{{memory ? ErrorCode::kResourceExhausted : ErrorCode::kNotReady,
               std::string(doing) + ": cuBLASLt answers " + cublasLtGetStatusName(status)}};
}

template <class Handle, cublasStatus_t (*Destroy)(Handle)>
class Owned {
 public:
  Owned() = default;
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() {
    if (handle != nullptr) Destroy(handle);
  }
  Handle handle = nullptr;
};
using Layout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using Description = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Preference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

void make_layout(Layout& layout, cudaDataType_t type, int rows, int columns, int stride) {
  check_blas(cublasLtMatrixLayoutCreate(&layout.handle, type, static_cast<std::uint64_t>(rows),
                                        static_cast<std::uint64_t>(columns), stride),
             "describing a matrix");
}

}  // namespace

std::optional<cublasLtMatmulAlgo_t> GemmChoices::find(const GemmShape& shape) const {
  const std::lock_guard lock(mutex_);
  const auto found = found_.find(shape);
  return found == found_.end() ? std::nullopt : std::optional(found->second);
}

void GemmChoices::keep(const GemmShape& shape, const cublasLtMatmulAlgo_t& algorithm) {
  const std::lock_guard lock(mutex_);
  found_.emplace(shape, algorithm);
}

/// The library counts in columns. Our row-major out [rows][outputs] = in [rows][inputs] * weights
/// [outputs][inputs]^T is its out^T [outputs x rows] = op(weights) * in^T, where `weights` seen by columns is
/// [inputs x outputs], to be transposed, and in^T is [inputs x rows] as it lies.
struct Gemms::Problem {
  Description description;
  Layout weights, in, out;
  const void *weights_data, *in_data;
  void* out_data;
  float scaling;

  template <class T>
  explicit Problem(const GemmArgs<T>& args)
      : weights_data(args.weights), in_data(args.in), out_data(args.out), scaling(args.scaling) {
    constexpr cudaDataType_t kType = std::is_same_v<T, __half> ? CUDA_R_16F : CUDA_R_32F;
    check_blas(cublasLtMatmulDescCreate(&description.handle, CUBLAS_COMPUTE_32F, CUDA_R_32F),
               "describing a GEMM");
    const cublasOperation_t transpose = CUBLAS_OP_T;
    check_blas(cublasLtMatmulDescSetAttribute(description.handle, CUBLASLT_MATMUL_DESC_TRANSA, &transpose,
                                              sizeof transpose),
               "describing a GEMM");
    make_layout(weights, kType, args.inputs, args.outputs, args.stride);
    make_layout(in, kType, args.inputs, args.rows, args.inputs);
    make_layout(out, kType, args.outputs, args.rows, args.outputs);
  }
};

Gemms::Gemms(std::shared_ptr<GemmChoices> choices)
    : choices_(std::move(choices)), workspace_(kWorkspaceBytes) {
  cublasLtHandle_t handle = nullptr;
  const cublasStatus_t started = cublasLtCreate(&handle);
  // It says so too where the GPU has no memory left for it; a GPU that is gone shows in the next call.
  if (started == CUBLAS_STATUS_NOT_INITIALIZED)
    throw Fault{{ErrorCode::kResourceExhausted, "starting cuBLASLt: no room, or no GPU"}};
  check_blas(started, "starting cuBLASLt");
  handle_.reset(handle);
}

cublasStatus_t Gemms::run(const Problem& problem, const cublasLtMatmulAlgo_t& algorithm,
                          cudaStream_t stream) const {
  const float zero = 0;
  return cublasLtMatmul(handle_.get(), problem.description.handle, &problem.scaling, problem.weights_data,
                        problem.weights.handle, problem.in_data, problem.in.handle, &zero, problem.out_data,
                        problem.out.handle, problem.out_data, problem.out.handle, &algorithm,
                        workspace_.data(), workspace_.bytes(), stream);
}

/// The library's own guess is made for large matrices; ours are small, so its first few are timed.
cublasLtMatmulAlgo_t Gemms::choose(const Problem& problem, cudaStream_t stream) const {
  constexpr int kCandidates = 8, kWarm = 2, kRuns = 10;
  Preference preference;
  check_blas(cublasLtMatmulPreferenceCreate(&preference.handle), "choosing a GEMM");
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    check_blas(cublasLtMatmulPreferenceSetAttribute(preference.handle, attribute, &value, sizeof value),
               "choosing a GEMM");
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<std::uint64_t>(kWorkspaceBytes));
  // Sums split over blocks are joined in float, never in half.
  set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
  std::array<cublasLtMatmulHeuristicResult_t, kCandidates> candidates{};
  int count = 0;
  check_blas(cublasLtMatmulAlgoGetHeuristic(handle_.get(), problem.description.handle, problem.weights.handle,
                                            problem.in.handle, problem.out.handle, problem.out.handle,
                                            preference.handle, kCandidates, candidates.data(), &count),
             "choosing a GEMM");
  if (count == 0)
    throw Fault{{ErrorCode::kNotSupported, "cuBLASLt has no algorithm for a layer of this shape"}};
  cudaEvent_t raw_start = nullptr, raw_end = nullptr;
  check(cudaEventCreate(&raw_start), "making an event");
  const Event start(raw_start);
  check(cudaEventCreate(&raw_end), "making an event");
  const Event end(raw_end);
  const cublasLtMatmulHeuristicResult_t* best = nullptr;
  float best_ms = std::numeric_limits<float>::max();
  for (const auto& candidate : std::span(candidates).first(static_cast<std::size_t>(count))) {
    if (candidate.state != CUBLAS_STATUS_SUCCESS) continue;
    if (run(problem, candidate.algo, stream) != CUBLAS_STATUS_SUCCESS) continue;
    for (int i = 1; i < kWarm; ++i) check_blas(run(problem, candidate.algo, stream), "trying a GEMM");
    check(cudaEventRecord(start.get(), stream), "timing a GEMM");
    for (int i = 0; i < kRuns; ++i) check_blas(run(problem, candidate.algo, stream), "trying a GEMM");
    check(cudaEventRecord(end.get(), stream), "timing a GEMM");
    check(cudaEventSynchronize(end.get()), "timing a GEMM");
    float ms = 0;
    check(cudaEventElapsedTime(&ms, start.get(), end.get()), "timing a GEMM");
    if (ms >= best_ms) continue;
    best_ms = ms;
    best = &candidate;
  }
  if (best == nullptr)
    throw Fault{{ErrorCode::kNotSupported, "no algorithm of cuBLASLt runs a layer of this shape"}};
  return best->algo;
}

template <class T>
void Gemms::launch(const GemmArgs<T>& args, cudaStream_t stream) {
  const GemmShape shape{args.rows, args.inputs, args.outputs, args.stride, std::is_same_v<T, __half>};
  const Problem problem(args);
  auto algorithm = choices_->find(shape);
  if (!algorithm) {
    algorithm = choose(problem, stream);
    choices_->keep(shape, *algorithm);
  }
  check_blas(run(problem, *algorithm, stream), "a 1x1 convolution");
}

template void Gemms::launch(const GemmArgs<__half>&, cudaStream_t);
template void Gemms::launch(const GemmArgs<float>&, cudaStream_t);

}  // namespace dofa::engine::cuda

// SPDX-License-Identifier: Apache-2.0
// Families on GPUs as the other rooms see them: no exception and no CUDA type passes here.
#include "daemon/engine/ofa_gpu.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <map>
#include <mutex>

#include "daemon/engine/cuda/frame_input.hpp"
#include "daemon/engine/cuda/network.hpp"
#include "daemon/engine/gpus.hpp"

namespace dofa::engine {
namespace cuda {
namespace {

/// What `work` returns, or as an Error what it throws.
template <class Work>
auto guarded(const Work& work) -> Result<decltype(work())> {
  try {
    return work();
  } catch (const Fault& fault) {
    return fault.error;
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kResourceExhausted, "no memory left on the host"};
  } catch (const std::exception& fault) {
    return Error{ErrorCode::kNotReady, std::string("the GPU's part of the engine failed: ") + fault.what()};
  }
}

/// A processor that failed once stays failed for its runner: its memory or its context is gone.
class Lane {
 public:
  explicit Lane(std::shared_ptr<const SharedModel> model) : network_(std::move(model)) {}

  template <class Work>
  auto on_gpu(const Work& work) -> Result<decltype(work(std::declval<Network&>()))> {
    if (failure_) return *failure_;
    auto result = guarded([&] {
      network_.use();
      return work(network_);
    });
    if (!result) failure_ = result.error();
    return result;
  }
  [[nodiscard]] const SharedModel& model() const { return network_.model(); }

 private:
  Network network_;
  std::optional<Error> failure_;
};

std::vector<std::uint32_t> resolutions_of(const Plan& plan) {
  std::vector<std::uint32_t> resolutions;
  for (const LevelPlan& level : plan.levels()) resolutions.push_back(level.resolution);
  return resolutions;
}

class CudaRunner final : public Runner {
 public:
  CudaRunner(std::shared_ptr<const Family> self, std::shared_ptr<const SharedModel> model)
      : self_(std::move(self)),
        resolutions_(resolutions_of(model->plan())),
        frames_(self_->description().preprocessing, resolutions_),
        lane_(std::move(model)) {}

  Result<void> prepare(std::uint32_t level, const ImageView& image) override {
    return prepare_in(0, level, image);
  }
  Result<std::span<const float>> run(std::uint32_t level) override { return run_batch(level, 1); }
  [[nodiscard]] std::uint32_t max_batch() const override { return lane_.model().max_batch(); }

  Result<void> prepare_in(std::uint32_t slot, std::uint32_t level, const ImageView& image) override {
    if (slot >= max_batch()) return Error{ErrorCode::kFailed, "a place beyond the batch"};
    Result<void> refused;  // what is wrong with this frame leaves the lane as it is
    const auto done = lane_.on_gpu([&](Network& network) {
      refused = frames_.put(image, resolutions_[level], network.input(slot, level), network.stream());
      // Preprocessing ends here, not inside run(): the slowdown is fitted on inference alone.
      if (refused) network.wait("preprocessing");
      return true;
    });
    return done ? refused : Result<void>(done.error());
  }

  Result<std::span<const float>> run_batch(std::uint32_t level, std::uint32_t count) override {
    if (count == 0 || count > max_batch())
      return Error{ErrorCode::kFailed, "a batch of no or too many frames"};
    return lane_.on_gpu([&](Network& network) { return network.run(level, count); });
  }

  /// Whether every level answers numbers; Network has run them all, but their answers were not looked at.
  Result<void> check_answers() {
    for (std::uint32_t level = 0; level < resolutions_.size(); ++level) {
      const auto logits = run(level);
      if (!logits) return logits.error();
      if (!std::ranges::all_of(*logits, [](float logit) { return std::isfinite(logit); }))
        return Error{ErrorCode::kNotSupported,
                     "'" + self_->levels()[level].name + "' answers NaN or infinity on the GPU"};
    }
    return {};
  }

 private:
  std::shared_ptr<const Family> self_;
  std::vector<std::uint32_t> resolutions_;
  FrameInput frames_;
  Lane lane_;
};

/// Where a GPU that is not there is the caller's mistake rather than a loss.
Result<int> device_for(const std::string& processor) {
  const int device = device_index(processor);
  if (device < 0) return Error{ErrorCode::kNotSupported, "this family cannot run on " + processor};
  const cudaError_t status = cudaSetDevice(device);
  (void)cudaGetLastError();
  if (status == cudaErrorInvalidDevice || status == cudaErrorNoDevice)
    return Error{ErrorCode::kNotSupported, "there is no " + processor};
  if (status != cudaSuccess) return error_of(status, "choosing a GPU");
  return device;
}

class CudaOfa final : public OfaGpu {
 public:
  CudaOfa(std::shared_ptr<const OfaModel> model, const GpuOptions& options)
      : model_(std::move(model)), options_(options) {}

  [[nodiscard]] Result<std::unique_ptr<Runner>> make_runner(std::shared_ptr<const Family> self,
                                                            const std::string& processor) const override {
    const auto device = device_for(processor);
    if (!device) return device.error();
    auto runner = guarded([&] { return std::make_unique<CudaRunner>(std::move(self), shared(*device)); });
    if (!runner) return runner.error();
    if (auto answers = (*runner)->check_answers(); !answers) return answers.error();
    return std::unique_ptr<Runner>(std::move(*runner));
  }

 private:
  /// Once a GPU, as long as a runner uses it.
  std::shared_ptr<const SharedModel> shared(int device) const {
    const std::lock_guard lock(mutex_);
    auto& known = shared_[device];
    if (auto model = known.lock()) return model;
    auto model = std::make_shared<const SharedModel>(*model_, device, options_);
    known = model;
    return model;
  }

  std::shared_ptr<const OfaModel> model_;
  GpuOptions options_;
  mutable std::mutex mutex_;
  mutable std::map<int, std::weak_ptr<const SharedModel>> shared_;
};

class CudaExecutor final : public OfaExecutor {
 public:
  explicit CudaExecutor(std::shared_ptr<const SharedModel> model)
      : image_(std::size_t{3} * model->plan().max_resolution() * model->plan().max_resolution() *
               sizeof(float)),
        lane_(std::move(model)) {}

  std::span<float> input(std::uint32_t level) override {
    const std::size_t side = lane_.model().plan().levels()[level].resolution;
    return {image_.as<float>(), 3 * side * side};
  }
  Result<std::span<const float>> run(std::uint32_t level) override {
    const auto from = input(level);
    return lane_.on_gpu([&](Network& network) {
      check(cudaMemcpyAsync(network.input(0, level), from.data(), from.size_bytes(), cudaMemcpyHostToDevice,
                            network.stream()),
            "copying an input to the GPU");
      return network.run(level, 1);
    });
  }

 private:
  PinnedBuffer image_;
  Lane lane_;
};

class CudaBackend final : public OfaBackend {
 public:
  explicit CudaBackend(std::shared_ptr<const SharedModel> model) : model_(std::move(model)) {}
  [[nodiscard]] std::uint64_t resident_bytes() const override {
    return model_->weights().bytes() + model_->parameters().bytes();
  }
  [[nodiscard]] Result<std::unique_ptr<OfaExecutor>> make_executor() const override {
    auto executor = guarded([&] { return std::make_unique<CudaExecutor>(model_); });
    if (!executor) return executor.error();
    return std::unique_ptr<OfaExecutor>(std::move(*executor));
  }

 private:
  std::shared_ptr<const SharedModel> model_;
};

}  // namespace
}  // namespace cuda

std::shared_ptr<const OfaGpu> make_ofa_gpu(const std::shared_ptr<const OfaModel>& model,
                                           const GpuOptions& options) {
  if (find_gpus().empty()) return nullptr;
  return std::make_shared<cuda::CudaOfa>(model, options);
}

Result<std::shared_ptr<const OfaBackend>> make_ofa_gpu_backend(const std::shared_ptr<const OfaModel>& model,
                                                               const GpuOptions& options) {
  if (find_gpus().empty()) return Error{ErrorCode::kNotSupported, "there is no NVIDIA GPU"};
  auto shared = cuda::guarded([&] { return std::make_shared<const cuda::SharedModel>(*model, 0, options); });
  if (!shared) return shared.error();
  return std::shared_ptr<const OfaBackend>(std::make_shared<cuda::CudaBackend>(std::move(*shared)));
}

}  // namespace dofa::engine

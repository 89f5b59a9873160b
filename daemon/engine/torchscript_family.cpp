// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/torchscript_family.hpp"

#include <torch/script.h>

#include <cmath>
#include <filesystem>

#include "daemon/engine/gpus.hpp"
#include "daemon/engine/labels.hpp"
#include "daemon/engine/preprocess.hpp"

namespace dofa::engine {
namespace {

Error invalid(const std::string& file, const std::string& what) {
  return {ErrorCode::kInvalidFamily, file + ": " + what};
}

/// LibTorch's messages carry a C++ backtrace; a person needs the first line.
std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

/// What LibTorch throws, as an Error: on a GPU a fault of its memory or of CUDA is the processor's, not the
/// frame's.
Error error_of(const std::exception& fault, const std::string& what, bool on_gpu) {
  const std::string text = first_line(fault.what());
  ErrorCode code = ErrorCode::kFailed;
  if (on_gpu) {
    if (dynamic_cast<const c10::OutOfMemoryError*>(&fault) != nullptr ||
        text.find("out of memory") != std::string::npos)
      code = ErrorCode::kResourceExhausted;
    else if (text.find("CUDA") != std::string::npos || text.find("CUDNN") != std::string::npos ||
             text.find("cuDNN") != std::string::npos || text.find("CUBLAS") != std::string::npos)
      code = ErrorCode::kNotReady;
  }
  return {code, what + ": " + text};
}

class TorchScriptFamily final : public Family {
 public:
  TorchScriptFamily(config::FamilyFile description, std::vector<std::string> labels)
      : description_(std::move(description)), labels_(std::move(labels)), has_gpu_(!find_gpus().empty()) {}

  Result<void> load_level(const std::string& directory, const config::SubnetEntry& entry) {
    const std::string path = (std::filesystem::path(directory) / entry.file).string();
    try {
      torch::jit::Module module = torch::jit::load(path, torch::kCPU);
      module.eval();
      for (const at::Tensor& tensor : module.parameters()) bytes_ += tensor.nbytes();
      for (const at::Tensor& tensor : module.buffers()) bytes_ += tensor.nbytes();
      // Freezing makes constants of the weights, which no copy to a GPU moves: there one freezes anew.
      if (has_gpu_) sources_.push_back(module);
      modules_.push_back(torch::jit::freeze(module));
    } catch (const std::exception& fault) {
      return invalid(path, "not a TorchScript module that loads: " + first_line(fault.what()));
    }
    levels_.push_back({entry.name, entry.resolution, entry.accuracy, 0, "libtorch"});
    return {};
  }

  const config::FamilyFile& description() const override { return description_; }
  const std::vector<LevelInfo>& levels() const override { return levels_; }
  const std::vector<std::string>& labels() const override { return labels_; }
  std::uint64_t resident_bytes() const override { return bytes_; }
  Result<std::unique_ptr<Runner>> make_runner(std::shared_ptr<const Family> self) const override;
  Result<std::unique_ptr<Runner>> make_runner_on(std::shared_ptr<const Family> self,
                                                 const std::string& processor) const override;

  /// Frozen on the device: the CPU's once for all lanes, a GPU's for each lane. Throws what LibTorch does.
  torch::jit::Module module(std::uint32_t level, const torch::Device& device) const {
    if (device.is_cpu()) return modules_[level];
    torch::jit::Module copy =
        sources_[level].deepcopy();  // moving a module moves the tensors that its clones share
    copy.to(device);
    return torch::jit::freeze(copy);
  }

 private:
  config::FamilyFile description_;
  std::vector<std::string> labels_;
  std::vector<LevelInfo> levels_;
  bool has_gpu_;
  std::vector<torch::jit::Module> modules_;
  std::vector<torch::jit::Module> sources_;  ///< not frozen; only where there is a GPU
  std::uint64_t bytes_ = 0;
};

/// Frames are prepared on the CPU; on a GPU the input is copied there and the logits back.
class TorchScriptRunner final : public Runner {
 public:
  /// Throws what LibTorch does where the device has no room.
  TorchScriptRunner(std::shared_ptr<const Family> keep_alive, const TorchScriptFamily& family,
                    torch::Device device)
      : keep_alive_(std::move(keep_alive)),
        family_(family),
        device_(device),
        preprocessor_(family.description().preprocessing) {
    for (const LevelInfo& level : family.levels()) {
      const auto side = static_cast<std::int64_t>(level.resolution);
      inputs_.push_back(torch::zeros({1, 3, side, side}));
      modules_.push_back(family.module(static_cast<std::uint32_t>(modules_.size()), device));
    }
  }

  Result<void> prepare(std::uint32_t level, const ImageView& image) override {
    if (failure_) return *failure_;
    at::Tensor& input = inputs_[level];
    return preprocessor_.run(image, family_.levels()[level].resolution,
                             {input.data_ptr<float>(), static_cast<std::size_t>(input.numel())});
  }

  Result<std::span<const float>> run(std::uint32_t level) override {
    if (failure_) return *failure_;
    const c10::InferenceMode no_gradients;
    try {
      // Both copies are none on the CPU; the one back waits for the GPU.
      output_ = modules_[level].forward({inputs_[level].to(device_)}).toTensor().to(torch::kCPU).contiguous();
    } catch (const std::exception& fault) {
      const Error error =
          error_of(fault, "LibTorch failed on '" + family_.levels()[level].name + "'", !device_.is_cpu());
      if (error.code != ErrorCode::kFailed) failure_ = error;  // the processor, for good
      return error;
    }
    const auto classes = static_cast<std::int64_t>(family_.description().classes);
    if (output_.scalar_type() != torch::kFloat32 || output_.dim() != 2 || output_.size(0) != 1 ||
        output_.size(1) != classes) {
      return Error{ErrorCode::kInvalidFamily, "'" + family_.levels()[level].name + "' does not answer 1 x " +
                                                  std::to_string(classes) + " float32 logits"};
    }
    return std::span<const float>(output_.data_ptr<float>(), static_cast<std::size_t>(classes));
  }

  /// Runs every level once on zeros: shapes are right, nothing is NaN, and the first frame finds everything
  /// warm.
  Result<void> warm_up() {
    for (std::uint32_t level = 0; level < modules_.size(); ++level) {
      const auto logits = run(level);
      if (failure_) return *failure_;
      // On a GPU it may be a tensor that the module makes on the CPU: no fault of the family, which serves
      // there.
      if (!logits)
        return Error{device_.is_cpu() ? ErrorCode::kInvalidFamily : ErrorCode::kNotSupported,
                     logits.error().message};
      for (const float logit : *logits) {
        if (!std::isfinite(logit)) {
          return Error{ErrorCode::kInvalidFamily,
                       "'" + family_.levels()[level].name + "' answers NaN or infinity"};
        }
      }
    }
    return {};
  }

 private:
  std::shared_ptr<const Family> keep_alive_;
  const TorchScriptFamily& family_;
  torch::Device device_;
  Preprocessor preprocessor_;
  std::vector<at::Tensor> inputs_;
  std::vector<torch::jit::Module> modules_;
  at::Tensor output_;
  std::optional<Error> failure_;  ///< of the processor
};

/// "cuda:0" where it is there.
std::optional<torch::Device> gpu_device(const std::string& processor) {
  for (const Gpu& gpu : find_gpus())
    if (gpu.processor == processor) return torch::Device(processor);
  return std::nullopt;
}

Result<std::unique_ptr<Runner>> TorchScriptFamily::make_runner(std::shared_ptr<const Family> self) const {
  auto runner = std::make_unique<TorchScriptRunner>(std::move(self), *this, torch::Device(torch::kCPU));
  if (auto warm = runner->warm_up(); !warm) return warm.error();
  return std::unique_ptr<Runner>(std::move(runner));
}

Result<std::unique_ptr<Runner>> TorchScriptFamily::make_runner_on(std::shared_ptr<const Family> self,
                                                                  const std::string& processor) const {
  if (processor == "cpu" || !has_gpu_) return Family::make_runner_on(std::move(self), processor);
  try {
    const auto device = gpu_device(processor);
    if (!device) return Error{ErrorCode::kNotSupported, "there is no " + processor};
    auto runner = std::make_unique<TorchScriptRunner>(std::move(self), *this, *device);
    if (auto warm = runner->warm_up(); !warm) return warm.error();
    return std::unique_ptr<Runner>(std::move(runner));
  } catch (const std::exception& fault) {
    return error_of(fault, "LibTorch cannot bring '" + description_.name + "' to " + processor, true);
  }
}

}  // namespace

Result<std::shared_ptr<const Family>> load_torchscript_family(const std::string& directory,
                                                              const config::FamilyFile& description) {
  // The profiling executor recompiles during the first runs of each shape: latency that would land on
  // somebody's frame.
  torch::jit::getProfilingMode() = false;
  auto labels = read_labels(directory, description);
  if (!labels) return labels.error();
  auto family = std::make_shared<TorchScriptFamily>(description, std::move(*labels));
  for (const config::SubnetEntry& entry : description.subnets) {
    if (auto loaded = family->load_level(directory, entry); !loaded) return loaded.error();
  }
  return std::shared_ptr<const Family>(std::move(family));
}

}  // namespace dofa::engine

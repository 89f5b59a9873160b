// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/torchscript_family.hpp"

#include <torch/script.h>

#include <cmath>
#include <filesystem>

#include "daemon/engine/labels.hpp"
#include "daemon/engine/preprocess.hpp"

namespace dofa::engine {
namespace {

Error invalid(const std::string& file, const std::string& what) {
  return {ErrorCode::kInvalidFamily, file + ": " + what};
}

/// LibTorch's messages carry a C++ backtrace; a person needs the first line.
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

class TorchScriptFamily final : public Family {
 public:
  TorchScriptFamily(config::FamilyFile description, std::vector<std::string> labels)
      : description_(std::move(description)), labels_(std::move(labels)) {}

  Result<void> load_level(const std::string& directory, const config::SubnetEntry& entry) {
    const std::string path = (std::filesystem::path(directory) / entry.file).string();
    try {
      torch::jit::Module module = torch::jit::load(path, torch::kCPU);
      module.eval();
      for (const at::Tensor& tensor : module.parameters()) bytes_ += tensor.nbytes();
      for (const at::Tensor& tensor : module.buffers()) bytes_ += tensor.nbytes();
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

  const torch::jit::Module& module(std::uint32_t level) const { return modules_[level]; }

 private:
  config::FamilyFile description_;
  std::vector<std::string> labels_;
  std::vector<LevelInfo> levels_;
  std::vector<torch::jit::Module> modules_;
  std::uint64_t bytes_ = 0;
};

class TorchScriptRunner final : public Runner {
 public:
  TorchScriptRunner(std::shared_ptr<const Family> keep_alive, const TorchScriptFamily& family)
      : keep_alive_(std::move(keep_alive)), family_(family), preprocessor_(family.description().preprocessing) {
    for (const LevelInfo& level : family.levels()) {
      const auto side = static_cast<std::int64_t>(level.resolution);
      inputs_.push_back(torch::zeros({1, 3, side, side}));
      modules_.push_back(family.module(static_cast<std::uint32_t>(modules_.size())));
    }
  }

  Result<void> prepare(std::uint32_t level, const ImageView& image) override {
    at::Tensor& input = inputs_[level];
    return preprocessor_.run(image, family_.levels()[level].resolution,
                             {input.data_ptr<float>(), static_cast<std::size_t>(input.numel())});
  }

  Result<std::span<const float>> run(std::uint32_t level) override {
    const c10::InferenceMode no_gradients;
    try {
      output_ = modules_[level].forward({inputs_[level]}).toTensor().contiguous();
    } catch (const std::exception& fault) {
      return Error{ErrorCode::kFailed, "LibTorch failed on '" + family_.levels()[level].name +
                                           "': " + first_line(fault.what())};
    }
    const auto classes = static_cast<std::int64_t>(family_.description().classes);
    if (output_.scalar_type() != torch::kFloat32 || output_.dim() != 2 || output_.size(0) != 1 ||
        output_.size(1) != classes) {
      return Error{ErrorCode::kInvalidFamily, "'" + family_.levels()[level].name + "' does not answer 1 x " +
                                                  std::to_string(classes) + " float32 logits"};
    }
    return std::span<const float>(output_.data_ptr<float>(), static_cast<std::size_t>(classes));
  }

  /// Runs every level once on zeros: shapes are right, nothing is NaN, and the first frame finds everything warm.
  Result<void> warm_up() {
    for (std::uint32_t level = 0; level < modules_.size(); ++level) {
      const auto logits = run(level);
      if (!logits) return Error{ErrorCode::kInvalidFamily, logits.error().message};
      for (const float logit : *logits) {
        if (!std::isfinite(logit)) {
          return Error{ErrorCode::kInvalidFamily, "'" + family_.levels()[level].name + "' answers NaN or infinity"};
        }
      }
    }
    return {};
  }

 private:
  std::shared_ptr<const Family> keep_alive_;
  const TorchScriptFamily& family_;
  Preprocessor preprocessor_;
  std::vector<at::Tensor> inputs_;
  std::vector<torch::jit::Module> modules_;
  at::Tensor output_;
};

Result<std::unique_ptr<Runner>> TorchScriptFamily::make_runner(std::shared_ptr<const Family> self) const {
  auto runner = std::make_unique<TorchScriptRunner>(std::move(self), *this);
  if (auto warm = runner->warm_up(); !warm) return warm.error();
  return std::unique_ptr<Runner>(std::move(runner));
}

}  // namespace

Result<std::shared_ptr<const Family>> load_torchscript_family(const std::string& directory,
                                                              const config::FamilyFile& description) {
  // The profiling executor recompiles during the first runs of each shape: latency that would land on somebody's frame.
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

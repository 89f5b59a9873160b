// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/ofa_family.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "daemon/engine/labels.hpp"
#include "daemon/engine/ofa_gpu.hpp"
#include "daemon/engine/preprocess.hpp"

namespace dofa::engine {
namespace {

Error invalid(const std::string& file, const std::string& what) {
  return {ErrorCode::kInvalidFamily, file + ": " + what};
}

/// The file's tensors, with any refusal told as the family's fault.
Result<FloatTensors> read_tensors(const std::string& path) {
  const auto checkpoint = checkpoint::read_checkpoint(path);
  if (!checkpoint) return Error{ErrorCode::kInvalidFamily, checkpoint.error().message};
  auto tensors = canonical_tensors(*checkpoint);
  if (!tensors) return invalid(path, tensors.error().message);
  return tensors;
}

std::string beside(const std::string& directory, const std::string& file) {
  return (std::filesystem::path(directory) / file).string();
}

/// What a family keeps of itself; the weights are the backend's.
struct OfaFamilyParts {
  config::FamilyFile description;
  std::vector<std::string> labels;
  std::vector<LevelInfo> levels;
  std::vector<std::string> remarks;
  std::shared_ptr<const OfaBackend> backend;
  std::shared_ptr<const OfaGpu> gpu;  ///< null where there is none
  std::uint64_t gpu_bytes = 0;        ///< of host memory that it keeps
};

class OfaRunner final : public Runner {
 public:
  OfaRunner(std::shared_ptr<const Family> family, std::unique_ptr<OfaExecutor> executor)
      : family_(std::move(family)),
        executor_(std::move(executor)),
        preprocessor_(family_->description().preprocessing) {}

  Result<void> prepare(std::uint32_t level, const ImageView& image) override {
    return preprocessor_.run(image, family_->levels()[level].resolution, executor_->input(level));
  }
  Result<std::span<const float>> run(std::uint32_t level) override { return executor_->run(level); }

  /// Runs every level once on zeros, so that the first frame finds everything warm.
  Result<void> warm_up() {
    for (std::uint32_t level = 0; level < family_->levels().size(); ++level) {
      std::ranges::fill(executor_->input(level), 0.0F);
      const auto logits = executor_->run(level);
      if (!logits) return logits.error();
      if (!std::ranges::all_of(*logits, [](float logit) { return std::isfinite(logit); }))
        return invalid(family_->description().name,
                       "'" + family_->levels()[level].name + "' answers NaN or infinity");
    }
    return {};
  }

 private:
  std::shared_ptr<const Family> family_;  // owns the backend, which must outlive the executor
  std::unique_ptr<OfaExecutor> executor_;
  Preprocessor preprocessor_;
};

class OfaFamily final : public Family {
 public:
  explicit OfaFamily(OfaFamilyParts parts) : parts_(std::move(parts)) {}

  const config::FamilyFile& description() const override { return parts_.description; }
  const std::vector<LevelInfo>& levels() const override { return parts_.levels; }
  const std::vector<std::string>& labels() const override { return parts_.labels; }
  std::uint64_t resident_bytes() const override {
    return parts_.backend->resident_bytes() + parts_.gpu_bytes;
  }
  std::vector<std::string> remarks() const override { return parts_.remarks; }
  Result<std::unique_ptr<Runner>> make_runner(std::shared_ptr<const Family> self) const override {
    auto executor = parts_.backend->make_executor();
    if (!executor) return executor.error();
    auto runner = std::make_unique<OfaRunner>(std::move(self), std::move(*executor));
    if (auto warm = runner->warm_up(); !warm) return warm.error();
    return std::unique_ptr<Runner>(std::move(runner));
  }
  Result<std::unique_ptr<Runner>> make_runner_on(std::shared_ptr<const Family> self,
                                                 const std::string& processor) const override {
    if (processor == "cpu" || parts_.gpu == nullptr)
      return Family::make_runner_on(std::move(self), processor);
    return parts_.gpu->make_runner(std::move(self), processor);
  }

 private:
  OfaFamilyParts parts_;
};

}  // namespace

Result<Supernet> load_supernet(const std::string& directory, const config::FamilyFile& description) {
  const std::string path = beside(directory, description.supernet.weights);
  auto tensors = read_tensors(path);
  if (!tensors) return tensors.error();
  auto supernet = make_supernet(*tensors, description.supernet);
  if (!supernet) return invalid(path, supernet.error().message);
  if (supernet->classes != description.classes)
    return invalid(path, "has " + std::to_string(supernet->classes) + " classes where family.yaml says " +
                             std::to_string(description.classes));
  return supernet;
}

Result<Subnet> load_subnet(const std::string& directory, const config::SubnetEntry& entry,
                           const Supernet& supernet) {
  auto subnet = extract_subnet(supernet, entry.architecture);
  if (!subnet) return invalid(directory, "sub-network '" + entry.name + "': " + subnet.error().message);
  if (entry.statistics.empty())
    return invalid(directory, "sub-network '" + entry.name +
                                  "' has no batch statistics; calibrate it first (dofa-model calibrate)");
  const std::string path = beside(directory, entry.statistics);
  const auto tensors = read_tensors(path);
  if (!tensors) return tensors.error();
  const auto statistics = parse_statistics(*tensors);
  if (!statistics) return invalid(path, statistics.error().message);
  if (const auto set = set_statistics(supernet, *subnet, *statistics); !set)
    return invalid(path, set.error().message);
  return subnet;
}

Result<std::shared_ptr<const Family>> load_ofa_family(const std::string& directory,
                                                      const config::FamilyFile& description,
                                                      const LoadOptions& options) {
  OfaFamilyParts parts{description, {}, {}, {}, nullptr, nullptr, 0};
  auto labels = read_labels(directory, description);
  if (!labels) return labels.error();
  parts.labels = std::move(*labels);
  auto supernet = load_supernet(directory, description);
  if (!supernet) return supernet.error();
  auto model = std::make_shared<OfaModel>(OfaModel{std::move(*supernet), {}});
  for (const config::SubnetEntry& entry : description.subnets) {
    auto subnet = load_subnet(directory, entry, model->supernet);
    if (!subnet) return subnet.error();
    parts.levels.push_back({entry.name, entry.resolution, entry.accuracy,
                            count_macs(model->supernet, *subnet, entry.resolution), ""});
    model->levels.push_back({entry.resolution, std::move(*subnet)});
  }
  for (const OfaBackendEntry& entry : ofa_backends()) {
    auto backend = entry.make(model);
    if (!backend && backend.error().code == ErrorCode::kNotSupported) {
      parts.remarks.push_back("executor '" + std::string(entry.name) + "' can't run it (" +
                              backend.error().message + "): a slower one serves");
      continue;
    }
    if (!backend) return invalid(directory, backend.error().message);
    parts.backend = std::move(*backend);
    if (!parts.backend->lock_weights())
      parts.remarks.push_back("its weights are not locked in memory (raise RLIMIT_MEMLOCK)");
    for (LevelInfo& level : parts.levels) level.executor = entry.name;
    if (options.gpus) parts.gpu = make_ofa_gpu(model, {.precision = options.gpu_precision});
    if (parts.gpu != nullptr) {  // it keeps the model, as the reference executor would
      const auto reference = make_reference_backend(model);
      if (reference) parts.gpu_bytes = (*reference)->resident_bytes();
    }
    return std::shared_ptr<const Family>(std::make_shared<OfaFamily>(std::move(parts)));
  }
  return Error{ErrorCode::kNotSupported, directory + ": nothing here runs families of this kind"};
}

}  // namespace dofa::engine

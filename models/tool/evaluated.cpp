// SPDX-License-Identifier: Apache-2.0
#include "models/tool/evaluated.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "daemon/engine/family.hpp"
#include "daemon/engine/labels.hpp"
#include "models/tool/calibrating.hpp"
#include "models/tool/evaluating.hpp"

namespace dofa::tool {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTogether = 8;  // sub-networks that share the decoding of pictures
constexpr std::size_t kBatch = 100;
constexpr const char* kLogFile = "evaluated.yaml";

bool exists(const EvaluationPlan& plan, const search::Candidate& candidate) {
  return fs::exists(plan.folder + "/" + statistics_file(plan, candidate));
}

const Evaluated* find(const std::vector<Evaluated>& log, const EvaluationPlan& plan,
                      const search::Candidate& candidate) {
  const auto found = std::ranges::find_if(log, [&](const Evaluated& entry) {
    return entry.candidate == candidate && entry.accuracy.dataset == plan.dataset &&
           entry.accuracy.images == plan.labelled->size() &&
           entry.calibrated_with == plan.calibration->size();
  });
  return found == log.end() || !exists(plan, candidate) ? nullptr : &*found;
}

config::SubnetEntry entry_of(const EvaluationPlan& plan, const search::Candidate& candidate) {
  return {candidate_name(candidate),       candidate.resolution, {}, {}, candidate.architecture,
          statistics_file(plan, candidate)};
}

}  // namespace

std::string candidate_name(const search::Candidate& candidate) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  const auto add = [&](std::uint64_t value) { hash = (hash ^ value) * 0x100000001b3; };
  for (const auto value : candidate.architecture.kernel_sizes) add(value);
  for (const auto value : candidate.architecture.expand_ratios) add(value);
  for (const auto value : candidate.architecture.depths) add(value);
  add(candidate.resolution);
  char text[32];
  std::snprintf(text, sizeof text, "s%016llx", static_cast<unsigned long long>(hash));
  return text;
}

std::string statistics_file(const EvaluationPlan& plan, const search::Candidate& candidate) {
  return candidate_name(candidate) + "-" + std::to_string(plan.calibration->size()) + ".bn.pt";
}

Result<EvaluationPlan> open_evaluation(const Arguments& arguments, const SearchSource& source,
                                       const std::string& work) {
  if (!source.supernet)
    throw UsageError{"sub-networks are calibrated with a family's or checkpoint's weights"};
  EvaluationPlan plan;
  plan.folder = work;
  std::vector<std::string> labels;
  if (source.family) {
    auto names = engine::read_labels(source.family->directory, source.family->file);
    if (!names) return names.error();
    labels = std::move(*names);
  }
  PictureQuery query{{arguments.required("--calibrate")}, "train", 0, {}};
  query.limit = static_cast<std::size_t>(arguments.integer("--calibrate-images", 500, 1, 10'000'000));
  auto calibration = open_pictures(query);
  if (!calibration) return calibration.error();
  plan.calibration = std::move(*calibration);
  if (const auto data = arguments.text("--data")) {
    const std::string split = arguments.text("--split").value_or("test");
    PictureQuery labelled{{*data}, split, 0, labels};
    labelled.limit = static_cast<std::size_t>(arguments.integer("--images", 2000, 0, 10'000'000));
    auto pictures = open_labelled_pictures(labelled);
    if (!pictures) return pictures.error();
    plan.labelled = std::move(*pictures);
    plan.dataset = arguments.text("--dataset").value_or(dataset_name(*data, split));
  }
  std::error_code error;
  fs::create_directories(work, error);
  if (error) return Error{ErrorCode::kFailed, work + ": cannot be made"};
  return plan;
}

Result<void> place_weights(const SearchSource& source, config::FamilyFile& file, const std::string& folder) {
  if (source.tensors) {
    file.supernet.weights = "supernet.pt";
    return checkpoint::write_checkpoint(folder + "/" + file.supernet.weights, *source.tensors);
  }
  for (const std::string& name : {file.supernet.weights, file.labels}) {
    if (name.empty()) continue;
    const std::string from = source.family->path(name), to = folder + "/" + name;
    std::error_code error;
    if (fs::equivalent(from, to, error)) continue;
    fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
    if (error) return Error{ErrorCode::kFailed, to + ": cannot be written: " + error.message()};
  }
  return {};
}

Result<void> calibrate_candidates(const SearchSource& source, const EvaluationPlan& plan,
                                  std::span<const search::Candidate> candidates) {
  std::vector<CalibrationJob> jobs;
  std::vector<std::string> files;
  for (const search::Candidate& candidate : candidates) {
    if (exists(plan, candidate)) continue;
    auto subnet = engine::extract_subnet(*source.supernet, candidate.architecture);
    if (!subnet) return subnet.error();
    jobs.push_back(
        {candidate.resolution, std::make_unique<engine::Calibration>(*source.supernet, std::move(*subnet))});
    files.push_back(plan.folder + "/" + statistics_file(plan, candidate));
  }
  if (jobs.empty()) return {};
  const auto shown = show_pictures(source.file.preprocessing, *plan.calibration, kBatch, jobs,
                                   "calibrating " + std::to_string(jobs.size()) + " sub-networks: picture");
  if (!shown) return shown.error();
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto written =
        checkpoint::write_checkpoint(files[i], engine::statistics_tensors(jobs[i].calibration->statistics()));
    if (!written) return written.error();
  }
  return {};
}

Result<std::vector<config::Accuracy>> evaluate_candidates(const SearchSource& source,
                                                          const EvaluationPlan& plan,
                                                          std::span<const search::Candidate> candidates) {
  const std::string log_path = plan.folder + "/" + kLogFile;
  auto log = read_evaluated(log_path);
  if (!log) return log.error();
  std::vector<search::Candidate> open;
  for (const search::Candidate& candidate : candidates)
    if (find(*log, plan, candidate) == nullptr && std::ranges::find(open, candidate) == open.end())
      open.push_back(candidate);

  config::FamilyFile file = source.file;
  file.name = "search";
  if (!open.empty())
    if (const auto placed = place_weights(source, file, plan.folder); !placed) return placed.error();
  for (std::size_t start = 0; start < open.size(); start += kTogether) {
    const auto some = std::span(open).subspan(start, std::min(kTogether, open.size() - start));
    if (const auto done = calibrate_candidates(source, plan, some); !done) return done.error();
    file.subnets.clear();
    for (const search::Candidate& candidate : some) file.subnets.push_back(entry_of(plan, candidate));
    const auto family = engine::load_family(plan.folder, file);
    if (!family) return family.error();
    const auto hits = evaluate(*family, *plan.labelled,
                               "evaluating sub-networks " + std::to_string(start + 1) + " to " +
                                   std::to_string(start + some.size()) + " of " +
                                   std::to_string(open.size()) + ": picture");
    if (!hits) return hits.error();
    const auto images = static_cast<std::uint32_t>(plan.labelled->size());
    for (std::size_t i = 0; i < some.size(); ++i)
      log->push_back({some[i],
                      {static_cast<double>((*hits)[i].top1) / images,
                       static_cast<double>((*hits)[i].top5) / images, plan.dataset, images},
                      static_cast<std::uint32_t>(plan.calibration->size())});
    if (const auto saved = write_evaluated(*log, log_path); !saved) return saved.error();
  }
  std::vector<config::Accuracy> accuracies;
  for (const search::Candidate& candidate : candidates) {
    const Evaluated* entry = find(*log, plan, candidate);
    if (entry == nullptr) return Error{ErrorCode::kFailed, log_path + ": lost an entry"};
    accuracies.push_back(entry->accuracy);
  }
  return accuracies;
}

}  // namespace dofa::tool

// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <numeric>
#include <random>

#include "daemon/engine/calibration.hpp"
#include "daemon/engine/ofa_family.hpp"
#include "daemon/engine/preprocess.hpp"
#include "models/tool/family_folder.hpp"
#include "models/tool/pictures.hpp"
#include "models/tool/progress.hpp"
#include "models/tool/verb_list.hpp"
#include "proto/json_writer.hpp"

namespace dofa::tool {
namespace {

constexpr std::int64_t kDefaultImages = 2000;  // as OFA's users take
constexpr std::int64_t kDefaultBatch = 100;
constexpr std::uint64_t kShuffleSeed = 1;

constexpr std::array<Option, 5> kOptions{{
    {"--subnet", "NAME", "calibrate only this one"},
    {"--images", "N", "pictures to use, spread over what is there (2000; 0 = all)"},
    {"--batch", "N", "pictures in a batch (100)"},
    {"--split", "NAME", "of a CIFAR-10 folder: train or test (train)"},
    {"--json", "", "print what was calibrated as JSON"},
}};

/// Pictures in random order, the same each time: folders sort them by class, and a batch must mix the
/// classes.
std::vector<std::size_t> shuffled(std::size_t count) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937_64 dice(kShuffleSeed);
  for (std::size_t i = count; i > 1; --i) std::swap(order[i - 1], order[dice() % i]);
  return order;
}

/// Preprocesses pictures for one input size into one tensor.
Result<at::Tensor> make_batch(const std::vector<Picture>& pictures, std::uint32_t side,
                              engine::Preprocessor& preprocessor) {
  at::Tensor images = at::empty({static_cast<std::int64_t>(pictures.size()), 3, side, side});
  const std::size_t floats = std::size_t{3} * side * side;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const std::span<float> out(images.data_ptr<float>() + i * floats, floats);
    if (const auto done = preprocessor.run(pictures[i].view, side, out); !done) return done.error();
  }
  return images;
}

/// A sub-network on its way to its statistics.
struct Candidate {
  std::size_t entry = 0;  ///< index in the family
  std::unique_ptr<engine::Calibration> calibration;
};

/// Decodes each picture once and shows it to every candidate.
Result<void> show_pictures(const FamilyFolder& folder, Pictures& pictures, std::size_t batch,
                           const std::vector<Candidate>& candidates) {
  engine::Preprocessor preprocessor(folder.file.preprocessing);
  const std::vector<std::size_t> order = shuffled(pictures.size());
  Progress progress("calibrating: picture", order.size());
  for (std::size_t start = 0; start < order.size(); start += batch) {
    std::vector<Picture> decoded;
    for (std::size_t i = start; i < std::min(start + batch, order.size()); ++i) {
      auto picture = pictures.load(order[i]);
      if (!picture) return picture.error();
      decoded.push_back(std::move(*picture));
    }
    std::map<std::uint32_t, at::Tensor> inputs;  // by their side, which sub-networks share
    for (const Candidate& candidate : candidates) {
      const std::uint32_t side = folder.file.subnets[candidate.entry].resolution;
      if (!inputs.contains(side)) {
        auto images = make_batch(decoded, side, preprocessor);
        if (!images) return images.error();
        inputs.emplace(side, std::move(*images));
      }
      candidate.calibration->add(inputs.at(side));
    }
    progress.step(decoded.size());
  }
  return {};
}

/// The sub-networks to calibrate: the named one, or all.
Result<std::vector<Candidate>> find_candidates(const FamilyFolder& folder, const engine::Supernet& supernet,
                                               const std::optional<std::string>& only) {
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < folder.file.subnets.size(); ++i) {
    const config::SubnetEntry& entry = folder.file.subnets[i];
    if (only && entry.name != *only) continue;
    auto subnet = engine::extract_subnet(supernet, entry.architecture);
    if (!subnet) return subnet.error();
    candidates.push_back({i, std::make_unique<engine::Calibration>(supernet, std::move(*subnet))});
  }
  if (candidates.empty())
    return Error{ErrorCode::kNotFound,
                 folder.directory + ": has no sub-network" + (only ? " '" + *only + "'" : "s")};
  return candidates;
}

Result<int> run(const Arguments& arguments) {
  const auto& words = arguments.positional(2, 1000);
  const auto batch = static_cast<std::size_t>(arguments.integer("--batch", kDefaultBatch, 1, 4096));
  PictureQuery query{{words.begin() + 1, words.end()}, arguments.text("--split").value_or("train"), 0, {}};
  query.limit = static_cast<std::size_t>(arguments.integer("--images", kDefaultImages, 0, 10'000'000));
  auto folder = open_family(words[0]);
  if (!folder) return folder.error();
  if (const auto fits = require_supernet(*folder); !fits) return fits.error();
  const auto supernet = engine::load_supernet(folder->directory, folder->file);
  if (!supernet) return supernet.error();
  const auto candidates = find_candidates(*folder, *supernet, arguments.text("--subnet"));
  if (!candidates) return candidates.error();
  const auto pictures = open_pictures(query);
  if (!pictures) return pictures.error();
  if (const auto shown = show_pictures(*folder, **pictures, batch, *candidates); !shown) return shown.error();

  json::Writer writer;
  writer.begin_object()
      .member("schema", 1)
      .member("images", (*pictures)->size())
      .key("subnets")
      .begin_array();
  for (const Candidate& candidate : *candidates) {
    config::SubnetEntry& entry = folder->file.subnets[candidate.entry];
    entry.statistics = entry.name + ".bn.pt";
    entry.accuracy.reset();  // it was measured with other statistics
    const auto written = checkpoint::write_checkpoint(
        folder->path(entry.statistics), engine::statistics_tensors(candidate.calibration->statistics()));
    if (!written) return written.error();
    writer.begin_object().member("name", entry.name).member("statistics", entry.statistics).end_object();
    if (!arguments.json())
      std::printf("%s: calibrated with %zu pictures\n", entry.name.c_str(), (*pictures)->size());
  }
  if (const auto saved = save_family(*folder); !saved) return saved.error();
  if (arguments.json()) std::puts(writer.end_array().end_object().text().c_str());
  return kExitOk;
}

}  // namespace

const Verb kCalibrateVerb{"calibrate", "FAMILY PICTURES…",
                          "Take the batch statistics of a family's sub-networks from pictures.", kOptions,
                          run};

}  // namespace dofa::tool

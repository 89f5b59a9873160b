// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdio>
#include <memory>
#include <optional>

#include "daemon/engine/ofa_family.hpp"
#include "models/tool/calibrating.hpp"
#include "models/tool/family_folder.hpp"
#include "models/tool/verb_list.hpp"
#include "proto/json_writer.hpp"

namespace dofa::tool {
namespace {

constexpr std::int64_t kDefaultImages = 2000;  // as OFA's users take
constexpr std::int64_t kDefaultBatch = 100;

constexpr std::array<Option, 5> kOptions{{
    {"--subnet", "NAME", "calibrate only this one"},
    {"--images", "N", "pictures to use, spread over what is there (2000; 0 = all)"},
    {"--batch", "N", "pictures in a batch (100)"},
    {"--split", "NAME", "of a CIFAR-10 folder: train, fit, validation or test (train)"},
    {"--json", "", "print what was calibrated as JSON"},
}};

/// Sub-networks on their way to their statistics.
struct Candidates {
  std::vector<std::size_t> entries;  ///< indices in the family
  std::vector<CalibrationJob> jobs;  ///< as many
};

/// The sub-networks to calibrate: the named one, or all.
Result<Candidates> find_candidates(const FamilyFolder& folder, const engine::Supernet& supernet,
                                   const std::optional<std::string>& only) {
  Candidates candidates;
  for (std::size_t i = 0; i < folder.file.subnets.size(); ++i) {
    const config::SubnetEntry& entry = folder.file.subnets[i];
    if (only && entry.name != *only) continue;
    auto subnet = engine::extract_subnet(supernet, entry.architecture);
    if (!subnet) return subnet.error();
    candidates.entries.push_back(i);
    candidates.jobs.push_back(
        {entry.resolution, std::make_unique<engine::Calibration>(supernet, std::move(*subnet))});
  }
  if (candidates.jobs.empty())
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
  const auto shown =
      show_pictures(folder->file.preprocessing, **pictures, batch, candidates->jobs, "calibrating: picture");
  if (!shown) return shown.error();

  json::Writer writer;
  writer.begin_object()
      .member("schema", 1)
      .member("images", (*pictures)->size())
      .key("subnets")
      .begin_array();
  for (std::size_t i = 0; i < candidates->jobs.size(); ++i) {
    config::SubnetEntry& entry = folder->file.subnets[candidates->entries[i]];
    entry.statistics = entry.name + ".bn.pt";
    entry.accuracy.reset();  // it was measured with other statistics
    const auto written = checkpoint::write_checkpoint(
        folder->path(entry.statistics),
        engine::statistics_tensors(candidates->jobs[i].calibration->statistics()));
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

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstdio>

#include "daemon/engine/family.hpp"
#include "models/tool/evaluating.hpp"
#include "models/tool/family_folder.hpp"
#include "models/tool/verb_list.hpp"
#include "proto/json_writer.hpp"

namespace dofa::tool {
namespace {

constexpr std::array<Option, 7> kOptions{{
    {"--data", "FOLDER", "labelled pictures: a sub-folder a class, or CIFAR-10 mosaics (needed)"},
    {"--split", "NAME", "of a CIFAR-10 folder: train, fit, validation or test (test)"},
    {"--images", "N", "pictures to use, spread over what is there (0 = all)"},
    {"--subnet", "NAME", "evaluate only this one"},
    {"--dataset", "NAME", "name to record; otherwise the folder's"},
    {"--no-write", "", "leave family.yaml as it is"},
    {"--json", "", "print subnets[].{name,top1,top5,images}"},
}};

/// Levels whose accuracy is known are put in order of it, in the places they held; a family must not fall
/// with the level.
void order_by_accuracy(std::vector<config::SubnetEntry>& subnets) {
  std::vector<config::SubnetEntry> known;
  for (const auto& entry : subnets)
    if (entry.accuracy) known.push_back(entry);
  std::ranges::stable_sort(known, {}, [](const config::SubnetEntry& entry) {
    return entry.accuracy ? entry.accuracy->top1 : 0.0;
  });
  std::size_t next = 0;
  for (auto& entry : subnets)
    if (entry.accuracy) entry = known[next++];
}

/// Says which levels another one beats in both cost and accuracy: they only take memory.
void warn_of_dominated(const engine::Family& family, const std::vector<Hits>& hits) {
  const auto& levels = family.levels();
  for (std::size_t i = 0; i < levels.size(); ++i) {
    for (std::size_t j = 0; j < levels.size(); ++j) {
      if (levels[j].macs == 0 || levels[j].macs >= levels[i].macs || hits[j].top1 < hits[i].top1) continue;
      std::fprintf(stderr, "dofa-model: '%s' costs more than '%s' and is no more accurate\n",
                   levels[i].name.c_str(), levels[j].name.c_str());
      break;
    }
  }
}

std::string recorded_name(const Arguments& arguments, const std::string& data, const std::string& split) {
  return arguments.text("--dataset").value_or(dataset_name(data, split));
}

Result<int> run(const Arguments& arguments) {
  auto folder = open_family(arguments.positional(1, 1)[0]);
  if (!folder) return folder.error();
  const std::string data = arguments.required("--data");
  const std::string split = arguments.text("--split").value_or("test");

  config::FamilyFile wanted = folder->file;
  if (const auto only = arguments.text("--subnet")) {
    const auto found = find_subnet(*folder, *only);
    if (!found) return found.error();
    wanted.subnets = {folder->file.subnets[*found]};
  }
  const auto family = engine::load_family(folder->directory, wanted);
  if (!family) return family.error();
  PictureQuery query{{data}, split, 0, (*family)->labels()};
  query.limit = static_cast<std::size_t>(arguments.integer("--images", 0, 0, 10'000'000));
  const auto pictures = open_labelled_pictures(query);
  if (!pictures) return pictures.error();
  const auto hits = evaluate(*family, **pictures, "evaluating: picture");
  if (!hits) return hits.error();

  const auto images = static_cast<std::uint32_t>((*pictures)->size());
  json::Writer writer;
  writer.begin_object().member("schema", 1).member("dataset", recorded_name(arguments, data, split));
  writer.key("subnets").begin_array();
  for (std::size_t i = 0; i < wanted.subnets.size(); ++i) {
    config::SubnetEntry& entry = folder->file.subnets[find_subnet(*folder, wanted.subnets[i].name).value()];
    const Hits& hit = (*hits)[i];
    entry.accuracy =
        config::Accuracy{static_cast<double>(hit.top1) / images, static_cast<double>(hit.top5) / images,
                         recorded_name(arguments, data, split), images};
    writer.begin_object().member("name", entry.name).member("top1", entry.accuracy->top1);
    writer.member("top5", entry.accuracy->top5).member("images", images).end_object();
    if (!arguments.json())
      std::printf("%-24s top-1 %6.2f %%  top-5 %6.2f %%  (%u pictures)\n", entry.name.c_str(),
                  100 * entry.accuracy->top1, 100 * entry.accuracy->top5, images);
  }
  if (arguments.json()) std::puts(writer.end_array().end_object().text().c_str());
  warn_of_dominated(**family, *hits);
  if (arguments.has("--no-write")) return kExitOk;
  order_by_accuracy(folder->file.subnets);
  if (const auto saved = save_family(*folder); !saved) return saved.error();
  return kExitOk;
}

}  // namespace

const Verb kEvalVerb{"eval", "FAMILY --data FOLDER",
                     "Measure the accuracy of a family's levels and record it.", kOptions, run};

}  // namespace dofa::tool

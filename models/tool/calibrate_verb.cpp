// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstdio>
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

Result<engine::Statistics> measure(const engine::Supernet& supernet, const config::SubnetEntry& entry,
                                   const config::Preprocessing& recipe, Pictures& pictures,
                                   std::size_t batch) {
  auto subnet = engine::extract_subnet(supernet, entry.architecture);
  if (!subnet) return subnet.error();
  engine::Calibration calibration(supernet, std::move(*subnet));
  engine::Preprocessor preprocessor(recipe);
  const std::vector<std::size_t> order = shuffled(pictures.size());
  const std::size_t floats = std::size_t{3} * entry.resolution * entry.resolution;
  Progress progress("calibrating " + entry.name + ": picture", order.size());
  for (std::size_t start = 0; start < order.size(); start += batch) {
    const std::size_t count = std::min(batch, order.size() - start);
    at::Tensor images = at::empty({static_cast<std::int64_t>(count), 3, entry.resolution, entry.resolution});
    for (std::size_t i = 0; i < count; ++i) {
      const auto picture = pictures.load(order[start + i]);
      if (!picture) return picture.error();
      const std::span<float> out(images.data_ptr<float>() + i * floats, floats);
      if (const auto done = preprocessor.run(picture->view, entry.resolution, out); !done)
        return done.error();
    }
    calibration.add(images);
    progress.step(count);
  }
  return calibration.statistics();
}

Result<int> run(const Arguments& arguments) {
  const auto& words = arguments.positional(2, 1000);
  const auto batch = static_cast<std::size_t>(arguments.integer("--batch", kDefaultBatch, 1, 4096));
  PictureQuery query{{words.begin() + 1, words.end()}, arguments.text("--split").value_or("train"), 0, {}};
  query.limit = static_cast<std::size_t>(arguments.integer("--images", kDefaultImages, 0, 10'000'000));
  auto folder = open_family(words[0]);
  if (!folder) return folder.error();
  if (const auto fits = require_supernet(*folder); !fits) return fits.error();
  const auto only = arguments.text("--subnet");
  if (only)
    if (const auto found = find_subnet(*folder, *only); !found) return found.error();
  const auto supernet = engine::load_supernet(folder->directory, folder->file);
  if (!supernet) return supernet.error();
  const auto pictures = open_pictures(query);
  if (!pictures) return pictures.error();

  json::Writer writer;
  writer.begin_object()
      .member("schema", 1)
      .member("images", (*pictures)->size())
      .key("subnets")
      .begin_array();
  for (config::SubnetEntry& entry : folder->file.subnets) {
    if (only && entry.name != *only) continue;
    const auto statistics = measure(*supernet, entry, folder->file.preprocessing, **pictures, batch);
    if (!statistics) return statistics.error();
    const std::string file = entry.name + ".bn.pt";
    const auto written =
        checkpoint::write_checkpoint(folder->path(file), engine::statistics_tensors(*statistics));
    if (!written) return written.error();
    entry.statistics = file;
    entry.accuracy.reset();  // it was measured with other statistics
    if (const auto saved = save_family(*folder); !saved) return saved.error();
    writer.begin_object().member("name", entry.name).member("statistics", file).end_object();
    if (!arguments.json())
      std::printf("%s: calibrated with %zu pictures\n", entry.name.c_str(), (*pictures)->size());
  }
  if (arguments.json()) std::puts(writer.end_array().end_object().text().c_str());
  return kExitOk;
}

}  // namespace

const Verb kCalibrateVerb{"calibrate", "FAMILY PICTURES…",
                          "Take the batch statistics of a family's sub-networks from pictures.", kOptions,
                          run};

}  // namespace dofa::tool

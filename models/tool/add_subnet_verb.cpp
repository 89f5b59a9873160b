// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstdio>
#include <random>

#include "daemon/engine/ofa_family.hpp"
#include "models/tool/family_folder.hpp"
#include "models/tool/verb_list.hpp"
#include "proto/json_writer.hpp"

namespace dofa::tool {
namespace {

constexpr std::array<Option, 8> kOptions{{
    {"--name", "NAME", "name of the sub-network"},
    {"--ks", "LIST", "kernel sizes: 20, or one for all blocks"},
    {"-e", "LIST", "expand ratios: 20, or one for all blocks"},
    {"-d", "LIST", "depths: 5, or one for all stages"},
    {"-r", "SIDE", "side of the input in pixels"},
    {"--random", "SEED", "draw whatever of the above is not given"},
    {"--from", "FILE", "add every sub-network of a JSON file (name, ks, e, d, r)"},
    {"--json", "", "print what was added as JSON"},
}};

/// Values drawn the same way on every machine.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  std::vector<std::int64_t> draw(const std::vector<std::uint8_t>& choices, std::size_t count) {
    std::vector<std::int64_t> values;
    for (std::size_t i = 0; i < count; ++i) values.push_back(choices[engine_() % choices.size()]);
    return values;
  }

 private:
  std::mt19937_64 engine_;
};

Result<NamedArchitecture> architecture_of(const Arguments& arguments, const engine::Supernet& supernet) {
  NamedArchitecture named;
  auto kernels = arguments.integers("--ks");
  auto ratios = arguments.integers("-e");
  auto depths = arguments.integers("-d");
  named.resolution = static_cast<std::uint32_t>(arguments.integer("-r", 0, 16, 1024));
  if (const auto seed = arguments.text("--random")) {
    Dice dice(static_cast<std::uint64_t>(arguments.integer("--random", 0, 0, INT64_MAX)));
    const auto drawn_kernels = dice.draw(supernet.kernel_choices, 20);
    const auto drawn_ratios = dice.draw(supernet.expand_choices, 20);
    const auto drawn_depths = dice.draw(supernet.depth_choices, engine::kStages);
    const auto drawn_resolution = dice.draw({160, 176, 192, 208, 224}, 1);  // the sizes OFA trains at
    if (kernels.empty()) kernels = drawn_kernels;
    if (ratios.empty()) ratios = drawn_ratios;
    if (depths.empty()) depths = drawn_depths;
    if (named.resolution == 0) named.resolution = static_cast<std::uint32_t>(drawn_resolution[0]);
    named.name = arguments.text("--name").value_or("random-" + *seed);
  } else {
    named.name = arguments.required("--name");
    for (const char* option : {"--ks", "-e", "-d", "-r"}) (void)arguments.required(option);
  }
  auto architecture = make_architecture(kernels, ratios, depths);
  if (!architecture) throw UsageError{architecture.error().message};
  named.architecture = *architecture;
  return named;
}

/// Where the new level belongs: before the first that costs more.
Result<std::size_t> place(const FamilyFolder& folder, const engine::Supernet& supernet, std::uint64_t macs) {
  for (std::size_t i = 0; i < folder.file.subnets.size(); ++i) {
    const config::SubnetEntry& entry = folder.file.subnets[i];
    const auto subnet = engine::extract_subnet(supernet, entry.architecture);
    if (!subnet) return subnet.error();
    if (engine::count_macs(supernet, *subnet, entry.resolution) > macs) return i;
  }
  return folder.file.subnets.size();
}

Result<int> run(const Arguments& arguments) {
  auto folder = open_family(arguments.positional(1, 1)[0]);
  if (!folder) return folder.error();
  if (const auto fits = require_supernet(*folder); !fits) return fits.error();
  const auto supernet = engine::load_supernet(folder->directory, folder->file);
  if (!supernet) return supernet.error();
  std::vector<NamedArchitecture> additions;
  if (const auto file = arguments.text("--from")) {
    auto listed = read_architectures(*file);
    if (!listed) return listed.error();
    additions = std::move(*listed);
  } else {
    auto single = architecture_of(arguments, *supernet);
    if (!single) return single.error();
    additions.push_back(std::move(*single));
  }

  json::Writer writer;
  writer.begin_object().member("schema", 1).key("subnets").begin_array();
  std::string words;
  for (const NamedArchitecture& added : additions) {
    if (find_subnet(*folder, added.name))
      return Error{ErrorCode::kAlreadyExists,
                   folder->directory + ": has a sub-network '" + added.name + "' already"};
    const auto subnet = engine::extract_subnet(*supernet, added.architecture);
    if (!subnet) return subnet.error();
    const std::uint64_t macs = engine::count_macs(*supernet, *subnet, added.resolution);
    const auto at = place(*folder, *supernet, macs);
    if (!at) return at.error();
    config::SubnetEntry entry;
    entry.name = added.name;
    entry.resolution = added.resolution;
    entry.architecture = added.architecture;
    folder->file.subnets.insert(folder->file.subnets.begin() + static_cast<std::ptrdiff_t>(*at),
                                std::move(entry));
    writer.begin_object().member("name", added.name).member("resolution", added.resolution);
    writer.member("macs", macs)
        .member("parameters", engine::count_parameters(*supernet, *subnet))
        .end_object();
    char cost[40];
    std::snprintf(cost, sizeof cost, "%.1f", static_cast<double>(macs) * 1e-6);
    words += added.name + ": " + cost + " M MACs, not calibrated yet\n";
  }
  if (const auto saved = save_family(*folder); !saved) return saved.error();
  std::fputs(arguments.json() ? (writer.end_array().end_object().text() + "\n").c_str() : words.c_str(),
             stdout);
  return kExitOk;
}

}  // namespace

const Verb kAddSubnetVerb{"add-subnet", "FAMILY --name NAME --ks LIST -e LIST -d LIST -r SIDE",
                          "Add a sub-network to a family; its place is told by its cost.", kOptions, run};

}  // namespace dofa::tool

// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdio>

#include "daemon/engine/ofa_family.hpp"
#include "models/tool/family_folder.hpp"
#include "models/tool/verb_list.hpp"
#include "proto/json_writer.hpp"

namespace dofa::tool {
namespace {

constexpr std::array<Option, 1> kOptions{{{"--json", "", "print the family as JSON"}}};

/// Multiply-accumulates of each level; zeros for a torchscript family.
Result<std::vector<std::uint64_t>> level_macs(const FamilyFolder& folder) {
  std::vector<std::uint64_t> macs(folder.file.subnets.size(), 0);
  if (folder.file.kind != config::FamilyKind::kOfaMobilenetV3) return macs;
  const auto supernet = engine::load_supernet(folder.directory, folder.file);
  if (!supernet) return supernet.error();
  for (std::size_t i = 0; i < macs.size(); ++i) {
    const auto subnet = engine::extract_subnet(*supernet, folder.file.subnets[i].architecture);
    if (!subnet) return subnet.error();
    macs[i] = engine::count_macs(*supernet, *subnet, folder.file.subnets[i].resolution);
  }
  return macs;
}

void print_json(const FamilyFolder& folder, const std::vector<std::uint64_t>& macs) {
  const config::FamilyFile& file = folder.file;
  const bool is_ofa = file.kind == config::FamilyKind::kOfaMobilenetV3;
  json::Writer writer;
  writer.begin_object().member("schema", 1).member("name", file.name).member("folder", folder.directory);
  writer.member("kind", is_ofa ? "ofa-mobilenetv3" : "torchscript").member("classes", file.classes);
  if (is_ofa) writer.member("width", file.supernet.width);
  writer.key("subnets").begin_array();
  const auto add = [&](const char* name, const auto& values) {
    writer.key(name).begin_array();
    for (const auto value : values) writer.value(value);
    writer.end_array();
  };
  for (std::size_t i = 0; i < file.subnets.size(); ++i) {
    const config::SubnetEntry& entry = file.subnets[i];
    writer.begin_object()
        .member("level", i)
        .member("name", entry.name)
        .member("resolution", entry.resolution);
    if (is_ofa) {
      writer.member("macs", macs[i]).member("calibrated", !entry.statistics.empty());
      add("ks", entry.architecture.kernel_sizes);
      add("e", entry.architecture.expand_ratios);
      add("d", entry.architecture.depths);
    }
    if (entry.accuracy) {
      writer.member("top1", entry.accuracy->top1).member("top5", entry.accuracy->top5);
      writer.member("dataset", entry.accuracy->dataset).member("images", entry.accuracy->images);
    }
    writer.end_object();
  }
  std::puts(writer.end_array().end_object().text().c_str());
}

void print_table(const FamilyFolder& folder, const std::vector<std::uint64_t>& macs) {
  const config::FamilyFile& file = folder.file;
  const bool is_ofa = file.kind == config::FamilyKind::kOfaMobilenetV3;
  std::printf("%s (%s, %u classes) in %s\n", file.name.c_str(), is_ofa ? "ofa-mobilenetv3" : "torchscript",
              file.classes, folder.directory.c_str());
  for (std::size_t i = 0; i < file.subnets.size(); ++i) {
    const config::SubnetEntry& entry = file.subnets[i];
    std::printf("%3zu  %-24s r %-4u", i, entry.name.c_str(), entry.resolution);
    if (is_ofa)
      std::printf(" %7.1f M MACs%s", static_cast<double>(macs[i]) * 1e-6,
                  entry.statistics.empty() ? "  NOT CALIBRATED" : "");
    if (entry.accuracy)
      std::printf("  top-1 %.2f %%, top-5 %.2f %% (%s, %u images)\n", 100 * entry.accuracy->top1,
                  100 * entry.accuracy->top5, entry.accuracy->dataset.c_str(), entry.accuracy->images);
    else
      std::puts("  accuracy: unknown");
  }
}

Result<int> run(const Arguments& arguments) {
  const auto folder = open_family(arguments.positional(1, 1)[0]);
  if (!folder) return folder.error();
  const auto macs = level_macs(*folder);
  if (!macs) return macs.error();
  arguments.json() ? print_json(*folder, *macs) : print_table(*folder, *macs);
  return kExitOk;
}

}  // namespace

const Verb kShowVerb{"show", "FAMILY", "Show a family's levels and what is known of them.", kOptions, run};

}  // namespace dofa::tool

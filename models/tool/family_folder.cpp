// SPDX-License-Identifier: Apache-2.0
#include "models/tool/family_folder.hpp"
#include "models/search/files.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>

#include "daemon/engine/ofa_family.hpp"

namespace dofa::tool {
namespace {

namespace fs = std::filesystem;

Error invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

template <std::size_t kCount>
Result<void> spread(const std::vector<std::int64_t>& values, const std::vector<std::int64_t>& choices,
                    const char* what, std::array<std::uint8_t, kCount>& out) {
  if (values.size() != 1 && values.size() != kCount)
    return invalid(std::string(what) + ": 1 or " + std::to_string(kCount) + " values are needed, not " +
                   std::to_string(values.size()));
  for (std::size_t i = 0; i < kCount; ++i) {
    const std::int64_t value = values[values.size() == 1 ? 0 : i];
    if (std::ranges::find(choices, value) == choices.end())
      return invalid(std::string(what) + ": " + std::to_string(value) + " is none of " +
                     std::to_string(choices[0]) + ", " + std::to_string(choices[1]) + ", " +
                     std::to_string(choices[2]));
    out[i] = static_cast<std::uint8_t>(value);
  }
  return {};
}

/// One number or a list of numbers.
std::vector<std::int64_t> integers(const YAML::Node& node) {
  if (node.IsScalar()) return {node.as<std::int64_t>()};
  return node.as<std::vector<std::int64_t>>();
}

}  // namespace

Result<FamilyFolder> open_family(const std::string& path) {
  FamilyFolder folder;
  const fs::path given = fs::absolute(path).lexically_normal();
  const fs::path directory =
      given.filename() == "family.yaml" || !given.has_filename() ? given.parent_path() : given;
  folder.directory = directory.string();
  auto file = config::read_family(folder.path("family.yaml"));
  if (!file) return file.error();
  folder.file = std::move(*file);
  return folder;
}

Result<void> save_family(const FamilyFolder& folder) {
  const std::string path = folder.path("family.yaml");
  const std::string text = config::write_family(folder.file);
  if (const auto check = config::parse_family(text, path); !check) return check.error();
  return search::replace_file(path, text);
}

Result<void> require_supernet(const FamilyFolder& folder) {
  if (folder.file.kind == config::FamilyKind::kOfaMobilenetV3) return {};
  return invalid(folder.directory +
                 ": is a torchscript family; only ofa-mobilenetv3 has sub-networks to make");
}

Result<std::size_t> find_subnet(const FamilyFolder& folder, const std::string& name) {
  const auto found = std::ranges::find(folder.file.subnets, name, &config::SubnetEntry::name);
  if (found == folder.file.subnets.end())
    return Error{ErrorCode::kNotFound, folder.directory + ": has no sub-network '" + name + "'"};
  return static_cast<std::size_t>(found - folder.file.subnets.begin());
}

Result<config::OfaArchitecture> make_architecture(const std::vector<std::int64_t>& kernel_sizes,
                                                  const std::vector<std::int64_t>& expand_ratios,
                                                  const std::vector<std::int64_t>& depths) {
  config::OfaArchitecture architecture;
  if (auto done = spread(kernel_sizes, {3, 5, 7}, "kernel sizes", architecture.kernel_sizes); !done)
    return done.error();
  if (auto done = spread(expand_ratios, {3, 4, 6}, "expand ratios", architecture.expand_ratios); !done)
    return done.error();
  if (auto done = spread(depths, {2, 3, 4}, "depths", architecture.depths); !done) return done.error();
  return architecture;
}

Result<std::vector<NamedArchitecture>> read_architectures(const std::string& path) {
  if (!fs::is_regular_file(path)) return Error{ErrorCode::kNotFound, path + ": no such file"};
  try {
    const YAML::Node top = YAML::LoadFile(path);  // JSON is YAML
    const YAML::Node list = top.IsSequence() ? top : top["subnets"] ? top["subnets"] : top["levels"];
    if (!list || !list.IsSequence()) return invalid(path + ": holds no list of sub-networks");
    std::vector<NamedArchitecture> architectures;
    for (const YAML::Node& item : list) {
      NamedArchitecture named;
      named.name =
          item["name"] ? item["name"].as<std::string>() : "level_" + std::to_string(architectures.size());
      named.resolution = static_cast<std::uint32_t>(integers(item["r"]).at(0));
      auto architecture = make_architecture(integers(item["ks"]), integers(item["e"]), integers(item["d"]));
      if (!architecture) return invalid(path + ": '" + named.name + "': " + architecture.error().message);
      named.architecture = *architecture;
      architectures.push_back(std::move(named));
    }
    return architectures;
  } catch (const std::exception& fault) {  // yaml-cpp's, for anything malformed
    return invalid(path + ": " + fault.what());
  }
}

config::OfaSupernet strides_of(const Arguments& arguments) {
  config::OfaSupernet strides;
  strides.stem_stride =
      static_cast<std::uint32_t>(arguments.integer("--stem-stride", strides.stem_stride, 1, 2));
  const auto given = arguments.integers("--stage-strides");
  if (given.empty()) return strides;
  const auto is_stride = [](std::int64_t stride) { return stride == 1 || stride == 2; };
  if (given.size() != strides.stage_strides.size() || !std::ranges::all_of(given, is_stride))
    throw UsageError{"--stage-strides takes five numbers, each 1 or 2"};
  for (std::size_t stage = 0; stage < strides.stage_strides.size(); ++stage)
    strides.stage_strides[stage] = static_cast<std::uint8_t>(given[stage]);
  return strides;
}

Result<engine::Supernet> open_supernet(const std::string& path, const config::OfaSupernet& strides) {
  if (fs::is_directory(path) || fs::path(path).filename() == "family.yaml") {
    const auto folder = open_family(path);
    if (!folder) return folder.error();
    if (const auto fits = require_supernet(*folder); !fits) return fits.error();
    return engine::load_supernet(folder->directory, folder->file);
  }
  const auto checkpoint = checkpoint::read_checkpoint(path);
  if (!checkpoint) return checkpoint.error();
  const auto tensors = engine::canonical_tensors(*checkpoint);
  if (!tensors) return invalid(path + ": " + tensors.error().message);
  auto supernet = engine::make_supernet(*tensors, strides);
  if (!supernet) return invalid(path + ": " + supernet.error().message);
  return supernet;
}

}  // namespace dofa::tool

// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/family.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <set>
#include <sstream>

#include "daemon/config/yaml_reader.hpp"

namespace dofa::config {
namespace {

constexpr std::uint32_t kMaxClasses = 1'000'000;
constexpr std::size_t kMaxSubnets = 1024;

bool is_name(const std::string& text, bool lower_only) {
  if (text.empty() || text.size() > 64 || text[0] == '.' || text[0] == '-') return false;
  return std::all_of(text.begin(), text.end(), [&](unsigned char c) {
    const bool upper = c >= 'A' && c <= 'Z';
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' ||
           (upper && !lower_only);
  });
}

FamilyKind read_kind(YamlMap& top) {
  const YAML::Node node = top.take("kind");
  const std::string word = top.text(node, "kind");
  if (word == "ofa-mobilenetv3") return FamilyKind::kOfaMobilenetV3;
  if (word == "torchscript") return FamilyKind::kTorchScript;
  top.fail(node, "kind", "must be ofa-mobilenetv3 or torchscript, not '" + word + "'");
}

std::string read_path(YamlMap& map, const std::string& key) {
  const YAML::Node node = map.take(key);
  std::string path = map.text(node, key);
  if (path.empty() || path.find('\0') != std::string::npos) map.fail(node, key, "must name a file");
  return path;
}

/// A list of exactly N small numbers out of a closed set.
template <std::size_t N>
std::array<std::uint8_t, N> read_choices(YamlMap& map, const std::string& key,
                                         const std::set<std::uint64_t>& choices) {
  const YAML::Node node = map.take(key);
  const auto items = map.items(node, key);
  if (items.size() != N) map.fail(node, key, "must list " + std::to_string(N) + " numbers");
  std::array<std::uint8_t, N> values{};
  for (std::size_t i = 0; i < N; ++i) {
    const auto value = map.integer(items[i], key, *choices.begin(), *choices.rbegin());
    if (!choices.contains(value)) map.fail(items[i], key, "holds a value that no Once-for-all network has");
    values[i] = static_cast<std::uint8_t>(value);
  }
  return values;
}

void read_channel_values(YamlMap& map, const std::string& key, std::array<float, 3>& out, double low,
                         double high) {
  if (!map.has(key)) return;
  const YAML::Node node = map.take(key);
  const auto items = map.items(node, key);
  if (items.size() != 3) map.fail(node, key, "must list 3 numbers: red, green, blue");
  for (std::size_t i = 0; i < 3; ++i) out[i] = static_cast<float>(map.number(items[i], key, low, high));
}

Preprocessing read_preprocessing(YamlMap map) {
  Preprocessing recipe;
  map.read("crop_ratio", recipe.crop_ratio, 0.1, 1.0);
  read_channel_values(map, "mean", recipe.mean, -10, 10);
  read_channel_values(map, "std", recipe.std, 1e-3, 10);
  map.finish();
  return recipe;
}

OfaSupernet read_supernet(YamlMap map) {
  OfaSupernet supernet;
  supernet.weights = read_path(map, "weights");
  map.read("width", supernet.width, 0.1, 4.0);
  map.read("stem_stride", supernet.stem_stride, 1, 2);
  if (map.has("stage_strides")) supernet.stage_strides = read_choices<5>(map, "stage_strides", {1, 2});
  map.finish();
  return supernet;
}

Accuracy read_accuracy(YamlMap map) {
  Accuracy accuracy;
  accuracy.top1 = map.number(map.take("top1"), "top1", 0, 1);
  accuracy.top5 = map.number(map.take("top5"), "top5", 0, 1);
  accuracy.dataset = map.text(map.take("dataset"), "dataset");
  accuracy.images = static_cast<std::uint32_t>(map.integer(map.take("images"), "images", 1, UINT32_MAX));
  map.finish();
  return accuracy;
}

SubnetEntry read_subnet(YamlMap map, FamilyKind kind) {
  SubnetEntry subnet;
  const YAML::Node name = map.take("name");
  subnet.name = map.text(name, "name");
  if (!is_name(subnet.name, false)) map.fail(name, "name", "must be 1 to 64 of A-Z a-z 0-9 . _ -");
  subnet.resolution = static_cast<std::uint32_t>(map.integer(map.take("resolution"), "resolution", 16, 1024));
  if (map.has("accuracy")) subnet.accuracy = read_accuracy(map.map("accuracy"));
  if (kind == FamilyKind::kTorchScript) {
    subnet.file = read_path(map, "file");
  } else {
    subnet.architecture.kernel_sizes = read_choices<20>(map, "kernel_sizes", {3, 5, 7});
    subnet.architecture.expand_ratios = read_choices<20>(map, "expand_ratios", {3, 4, 6});
    subnet.architecture.depths = read_choices<5>(map, "depths", {2, 3, 4});
    if (map.has("statistics")) subnet.statistics = read_path(map, "statistics");
  }
  map.finish();
  return subnet;
}

std::vector<SubnetEntry> read_subnets(YamlMap& top, const std::string& path, FamilyKind kind) {
  const YAML::Node node = top.take("subnets");
  const auto items = top.items(node, "subnets");
  if (items.size() > kMaxSubnets) {
    top.fail(node, "subnets", "must list at most " + std::to_string(kMaxSubnets) + " sub-networks");
  }
  std::vector<SubnetEntry> subnets;
  std::set<std::string> names;
  double best_top1 = 0;
  for (const YAML::Node& item : items) {
    SubnetEntry subnet = read_subnet(YamlMap(item, path, "subnets"), kind);
    if (!names.insert(subnet.name).second)
      top.fail(item, "subnets", "holds the name '" + subnet.name + "' twice");
    if (subnet.accuracy) {
      if (subnet.accuracy->top1 < best_top1) {
        top.fail(item, "subnets",
                 "must be ordered by accuracy: '" + subnet.name + "' is below the one before it");
      }
      best_top1 = subnet.accuracy->top1;
    }
    subnets.push_back(std::move(subnet));
  }
  return subnets;
}

FamilyFile read_document(const std::string& text, const std::string& path) {
  YamlMap top(parse_yaml(text, path), path, "");
  const YAML::Node schema = top.take("schema");
  top.integer(schema, "schema", 1, 1);
  FamilyFile family;
  const YAML::Node name = top.take("name");
  family.name = top.text(name, "name");
  if (!is_name(family.name, true)) top.fail(name, "name", "must be 1 to 64 of a-z 0-9 . _ -");
  family.kind = read_kind(top);
  const YAML::Node task = top.take("task");
  family.task = top.text(task, "task");
  if (family.task != "classification")
    top.fail(task, "task", "must be classification, not '" + family.task + "'");
  family.classes = static_cast<std::uint32_t>(top.integer(top.take("classes"), "classes", 1, kMaxClasses));
  if (top.has("labels")) family.labels = read_path(top, "labels");
  family.preprocessing = read_preprocessing(top.map("preprocessing"));
  if (family.kind == FamilyKind::kOfaMobilenetV3) {
    family.supernet = read_supernet(YamlMap(top.take("supernet"), path, "supernet"));
  }
  family.subnets = read_subnets(top, path, family.kind);
  top.finish();
  return family;
}

/// Shortest text that reads back as the same value; accuracies print as 0.653, not 0.65300000000000002.
template <class T>
std::string exact(T value) {
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

template <class Container>
YAML::Node flow(const Container& values) {
  YAML::Node node;
  node.SetStyle(YAML::EmitterStyle::Flow);
  for (const auto& value : values) {
    if constexpr (std::is_floating_point_v<std::decay_t<decltype(value)>>) {
      node.push_back(exact(value));
    } else {
      node.push_back(static_cast<unsigned>(value));
    }
  }
  return node;
}

YAML::Node subnet_node(const SubnetEntry& subnet, FamilyKind kind) {
  YAML::Node node;
  node["name"] = subnet.name;
  node["resolution"] = subnet.resolution;
  if (kind == FamilyKind::kTorchScript) {
    node["file"] = subnet.file;
  } else {
    node["kernel_sizes"] = flow(subnet.architecture.kernel_sizes);
    node["expand_ratios"] = flow(subnet.architecture.expand_ratios);
    node["depths"] = flow(subnet.architecture.depths);
    if (!subnet.statistics.empty()) node["statistics"] = subnet.statistics;
  }
  if (subnet.accuracy) {
    YAML::Node accuracy;
    accuracy["top1"] = exact(subnet.accuracy->top1);
    accuracy["top5"] = exact(subnet.accuracy->top5);
    accuracy["dataset"] = subnet.accuracy->dataset;
    accuracy["images"] = subnet.accuracy->images;
    node["accuracy"] = accuracy;
  }
  return node;
}

}  // namespace

Result<FamilyFile> parse_family(const std::string& text, const std::string& path) {
  try {
    return read_document(text, path);
  } catch (const std::exception& fault) {  // ConfigFault, or whatever yaml-cpp throws on odd nodes
    return Error{ErrorCode::kInvalidFamily, fault.what()};
  }
}

Result<FamilyFile> read_family(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) return Error{ErrorCode::kNotFound, path + ": cannot be read"};
  return parse_family(text.str(), path);
}

std::string write_family(const FamilyFile& family) {
  YAML::Node top;
  top["schema"] = 1;
  top["name"] = family.name;
  top["kind"] = family.kind == FamilyKind::kTorchScript ? "torchscript" : "ofa-mobilenetv3";
  top["task"] = family.task;
  top["classes"] = family.classes;
  if (!family.labels.empty()) top["labels"] = family.labels;
  top["preprocessing"]["crop_ratio"] = exact(family.preprocessing.crop_ratio);
  top["preprocessing"]["mean"] = flow(family.preprocessing.mean);
  top["preprocessing"]["std"] = flow(family.preprocessing.std);
  if (family.kind == FamilyKind::kOfaMobilenetV3) {
    YAML::Node supernet;
    supernet["weights"] = family.supernet.weights;
    supernet["width"] = exact(family.supernet.width);
    supernet["stem_stride"] = family.supernet.stem_stride;
    supernet["stage_strides"] = flow(family.supernet.stage_strides);
    top["supernet"] = supernet;
  }
  top["subnets"] = YAML::Node(YAML::NodeType::Sequence);
  for (const SubnetEntry& subnet : family.subnets) top["subnets"].push_back(subnet_node(subnet, family.kind));
  YAML::Emitter out;
  out << top;
  return std::string(out.c_str()) + "\n";
}

}  // namespace dofa::config

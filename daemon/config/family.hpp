// SPDX-License-Identifier: Apache-2.0
// What `family.yaml` says, as plain structs: reading is strict (unknown, duplicate, ill-typed or out-of-range
// keys are refused with file:line:column), writing gives a file that reads back equal. No weights are touched
// here. Values only; thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base.hpp"

namespace dofa::config {

enum class FamilyKind : std::uint8_t {
  kOfaMobilenetV3,  ///< `ofa-mobilenetv3`: one supernet, levels are sub-networks of it
  kTorchScript,     ///< `torchscript`: one module file a level
};

/// How a frame becomes the network's input: the short side is resized to ceil(resolution / crop_ratio)
/// (bilinear with antialias, as PIL and torchvision do), the centre resolution x resolution is cropped, and
/// each channel of value v in 0..255 becomes (v/255 - mean) / std. Channels are R, G, B.
struct Preprocessing {
  float crop_ratio = 0.875F;                          ///< (0, 1]; 1 = no margin is cut off
  std::array<float, 3> mean{0.485F, 0.456F, 0.406F};  ///< ImageNet's
  std::array<float, 3> std{0.229F, 0.224F, 0.225F};   ///< > 0
  bool operator==(const Preprocessing&) const = default;
};

/// Accuracy as measured on a labelled data set; never a guess.
struct Accuracy {
  double top1 = 0;  ///< fraction in 0..1
  double top5 = 0;  ///< fraction in 0..1
  std::string dataset;
  std::uint32_t images = 0;
  bool operator==(const Accuracy&) const = default;
};

/// One Once-for-all MobileNetV3 architecture: five stages of up to four blocks; entries of blocks beyond a
/// stage's depth are kept but unused.
struct OfaArchitecture {
  std::array<std::uint8_t, 20> kernel_sizes{};   ///< each of 3, 5, 7
  std::array<std::uint8_t, 20> expand_ratios{};  ///< each of 3, 4, 6
  std::array<std::uint8_t, 5> depths{};          ///< each of 2, 3, 4
  bool operator==(const OfaArchitecture&) const = default;
};

/// The shared half of an `ofa-mobilenetv3` family.
struct OfaSupernet {
  std::string weights;            ///< file beside family.yaml: a tensor dict (torch.save, zip format)
  double width = 1.0;             ///< width multiplier, as in the file name of the published checkpoints
  std::uint32_t stem_stride = 2;  ///< 1 or 2 (1 for small images)
  std::array<std::uint8_t, 5> stage_strides{2, 2, 2, 1, 2};  ///< stride of each elastic stage's first block
  bool operator==(const OfaSupernet&) const = default;
};

/// One level of a family.
struct SubnetEntry {
  std::string name;              ///< unique in the family; [A-Za-z0-9._-], 1..64 characters
  std::uint32_t resolution = 0;  ///< side of the square input, 16..1024
  std::optional<Accuracy> accuracy;
  std::string file;              ///< torchscript: the module's file
  OfaArchitecture architecture;  ///< ofa-mobilenetv3
  std::string
      statistics;  ///< ofa-mobilenetv3: file with this sub-network's BN statistics; empty = not calibrated
  bool operator==(const SubnetEntry&) const = default;
};

/// A whole family.yaml. Levels are in the order of the file, fastest first; known accuracies must not fall
/// with the level.
struct FamilyFile {
  std::string name;  ///< [a-z0-9][a-z0-9._-]{0,63}
  FamilyKind kind = FamilyKind::kTorchScript;
  std::string task = "classification";
  std::string labels;  ///< file with one class name a line; empty = none
  std::uint32_t classes = 0;
  Preprocessing preprocessing;
  OfaSupernet supernet;
  std::vector<SubnetEntry> subnets;
  bool operator==(const FamilyFile&) const = default;
};

/// Reads the text of a family.yaml; `path` is only for messages ("path:line:column: …", kInvalidFamily).
Result<FamilyFile> parse_family(const std::string& text, const std::string& path);
/// Reads and parses `path`; kNotFound where it cannot be opened.
Result<FamilyFile> read_family(const std::string& path);
/// The text of a family.yaml that parses back to `family`.
std::string write_family(const FamilyFile& family);

}  // namespace dofa::config

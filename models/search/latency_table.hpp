// SPDX-License-Identifier: Apache-2.0
// How long each layer of a search space takes on one machine, and what a sum of layers misses of a whole
// network. Two kinds of files are read: our own (written by `dofa-model profile --table`), and folders of
// <resolution>.json as the Once-for-all latency predictors and the Dynamic-OFA paper publish them. A file is
// somebody else's: every value is checked. Values and functions without state; thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "models/search/lookup.hpp"

namespace dofa::search {

/// One layer as measured, outliers left out.
struct LayerTime {
  double mean_us = 0;
  double std_us = 0;
  std::uint32_t count = 0;  ///< measurements behind it
  bool operator==(const LayerTime&) const = default;
};

/// What turns a sum of layers into the time of a network: scale * sum + offset_us + block_us * blocks, fitted
/// on whole sub-networks. The errors are mean absolute ones relative to the measured time.
struct Correction {
  double scale = 1;
  double offset_us = 0;
  double block_us = 0;
  double fit_error = 0;     ///< on the sub-networks it was fitted on
  double unseen_error = 0;  ///< on others
  std::uint32_t networks = 0;
  bool operator==(const Correction&) const = default;
};

struct LatencyTable {
  std::string machine;    ///< as the measuring program names it; empty = unknown, so a foreign one
  std::string processor;  ///< "cpu", "cuda:0"
  std::uint32_t threads = 1;
  std::optional<Correction> correction;
  /// By resolution, then by the layer's name. Layers that the engine runs fused with the one before them are
  /// there with 0.
  std::map<std::uint32_t, std::map<std::string, LayerTime>> layers;
  bool operator==(const LatencyTable&) const = default;

  [[nodiscard]] std::vector<std::uint32_t> resolutions() const;
};

/// Names of layers, as the published tables spell them:
/// "expanded_conv-input:112x112x24-output:56x56x32-expand:72-kernel:3-stride:2-idskip:0-se:0-hs:0".
std::string layer_name(const BlockUse& use);
struct FixedNames {
  std::string stem, first_block, final_expand, pool, feature_mix, classifier;
};
FixedNames fixed_names(const Outline& outline, std::uint32_t resolution);

/// Latency in microseconds of every sub-network of `space`. kNotFound names the resolution or layer that the
/// table lacks.
Result<Lookup> latency_lookup(const Outline& outline, const Space& space, const LatencyTable& table);

/// Our own format. `path` is only for messages; kInvalidArgument says where what is wrong.
Result<LatencyTable> parse_latency_table(const std::string& text, const std::string& path);
std::string write_latency_table(const LatencyTable& table);
/// One published file: an object of layers with "mean" and "std" in milliseconds and "count".
Result<std::map<std::string, LayerTime>> parse_published_table(const std::string& text,
                                                               const std::string& path);

/// A folder of published files, or a file of ours. kNotFound where nothing is there.
Result<LatencyTable> read_latency_table(const std::string& path);
/// Replaces the file at once.
Result<void> save_latency_table(const LatencyTable& table, const std::string& path);

}  // namespace dofa::search

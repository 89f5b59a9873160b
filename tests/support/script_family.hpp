// SPDX-License-Identifier: Apache-2.0
// TorchScript families made on the spot, out of a line of TorchScript a level: what the integration tests
// serve where no real network is needed, and what they are hostile with.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace dofa::test {

struct ScriptLevel {
  std::string name;
  std::string forward;        ///< body of `def forward(self, x)`; x is 1 x 3 x 32 x 32
  std::string accuracy = {};  ///< YAML of the level's accuracy, e.g. "{top1: 0.5, …}"; empty = unknown
};

/// A body that answers four logits: the means of the three channels and 0.1, times `gain`. A red frame is
/// class 0, a green one 1, a blue one 2, a black one 3.
std::string colour_net(double gain = 10.0);

/// Writes family.yaml, labels.txt and a module a level into `directory` (created), for frames of 32 x 32 that
/// are only scaled to 0..1. The labels are red, green, blue, black.
void write_script_family(const std::filesystem::path& directory, const std::string& name,
                         const std::vector<ScriptLevel>& levels);

/// The family.yaml of ../shared/models/mobilenet_v1, pointing at its files.
void write_mobilenet_family(const std::filesystem::path& directory, const std::filesystem::path& shared);

}  // namespace dofa::test

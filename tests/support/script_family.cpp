// SPDX-License-Identifier: Apache-2.0
#include "tests/support/script_family.hpp"

#include <torch/script.h>
#include <yaml-cpp/yaml.h>

#include "tests/support/daemon.hpp"

namespace dofa::test {

std::string colour_net(double gain) {
  return "    c = x.mean([2, 3])\n    return torch.cat([c, torch.full([1, 1], 0.1)], 1) * " +
         std::to_string(gain) + "\n";
}

void write_script_family(const std::filesystem::path& directory, const std::string& name,
                         const std::vector<ScriptLevel>& levels) {
  std::filesystem::create_directories(directory);
  write_file(directory / "labels.txt", "red\ngreen\nblue\nblack\n");
  std::string yaml = "schema: 1\nname: " + name +
                     "\nkind: torchscript\ntask: classification\nclasses: 4\nlabels: labels.txt\n"
                     "preprocessing: {crop_ratio: 1, mean: [0, 0, 0], std: [1, 1, 1]}\nsubnets:\n";
  for (const ScriptLevel& level : levels) {
    torch::jit::Module module(level.name);
    module.define("def forward(self, x):\n" + level.forward);
    module.eval();
    module.save((directory / (level.name + ".pt")).string());
    yaml += "  - {name: " + level.name + ", resolution: 32, file: " + level.name + ".pt";
    if (!level.accuracy.empty()) yaml += ", accuracy: " + level.accuracy;
    yaml += "}\n";
  }
  write_file(directory / "family.yaml", yaml);
}

void write_mobilenet_family(const std::filesystem::path& directory, const std::filesystem::path& shared) {
  std::filesystem::create_directories(directory);
  const std::string models = (shared / "models/mobilenet_v1").string();
  std::string yaml =
      "schema: 1\nname: mobilenet_v1\nkind: torchscript\ntask: classification\nclasses: 1000\nlabels: " +
      models +
      "/labels.txt\npreprocessing: {crop_ratio: 0.875, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}\n" +
      "subnets:\n";
  const YAML::Node description = YAML::LoadFile(models + "/family.json");  // JSON is YAML
  for (const YAML::Node& model : description["models"]) {
    yaml += "  - {name: " + model["name"].as<std::string>() +
            ", resolution: " + model["input_size"].as<std::string>() + ", file: " + models + "/" +
            model["file"].as<std::string>() +
            ", accuracy: {top1: " + std::to_string(model["measured_top1"].as<double>() / 100) +
            ", top5: " + std::to_string(model["measured_top5"].as<double>() / 100) +
            ", dataset: val20, images: " + model["measured_images"].as<std::string>() + "}}\n";
  }
  write_file(directory / "family.yaml", yaml);
}

}  // namespace dofa::test

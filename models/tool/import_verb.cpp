// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdio>
#include <filesystem>

#include "models/tool/family_folder.hpp"
#include "models/tool/verb_list.hpp"
#include "proto/json_writer.hpp"

namespace dofa::tool {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWeightsFile = "supernet.pt";
constexpr const char* kLabelsFile = "labels.txt";

constexpr std::array<Option, 8> kOptions{{
    {"-o", "FOLDER", "folder of the new family, e.g. models/NAME (needed)"},
    {"--name", "NAME", "name of the family; otherwise the folder's"},
    {"--labels", "FILE", "class names, one a line"},
    {"--crop-ratio", "R", "part of the short side that the network sees (0.875)"},
    {"--stem-stride", "N", "stride of the first convolution, 1 or 2 (2)"},
    {"--stage-strides", "LIST", "strides of the five stages (2,2,2,1,2)"},
    {"--force", "", "replace a family that is there"},
    {"--json", "", "print the result as JSON"},
}};

config::FamilyFile describe(const Arguments& arguments, const std::string& folder_name) {
  config::FamilyFile file;
  file.name = arguments.text("--name").value_or(folder_name);
  file.kind = config::FamilyKind::kOfaMobilenetV3;
  file.supernet = strides_of(arguments);
  file.supernet.weights = kWeightsFile;
  file.preprocessing.crop_ratio = static_cast<float>(arguments.number("--crop-ratio", 0.875, 0.1, 1.0));
  if (arguments.has("--labels")) file.labels = kLabelsFile;
  return file;
}

std::string list(const std::vector<std::uint8_t>& choices) {
  std::string text;
  for (const auto choice : choices) text += (text.empty() ? "" : " ") + std::to_string(choice);
  return text;
}

void print(const Arguments& arguments, const FamilyFolder& folder, const engine::Supernet& net) {
  if (!arguments.json()) {
    std::printf("%s: width %g, %u classes; kernels %s, expand ratios %s, depths %s\n",
                folder.directory.c_str(), net.width, net.classes, list(net.kernel_choices).c_str(),
                list(net.expand_choices).c_str(), list(net.depth_choices).c_str());
    return;
  }
  json::Writer writer;
  writer.begin_object()
      .member("schema", 1)
      .member("folder", folder.directory)
      .member("name", folder.file.name);
  writer.member("width", net.width).member("classes", net.classes);
  const auto add = [&](const char* name, const std::vector<std::uint8_t>& choices) {
    writer.key(name).begin_array();
    for (const auto choice : choices) writer.value(choice);
    writer.end_array();
  };
  add("kernel_sizes", net.kernel_choices);
  add("expand_ratios", net.expand_choices);
  add("depths", net.depth_choices);
  std::puts(writer.end_object().text().c_str());
}

Result<int> run(const Arguments& arguments) {
  const std::string source = arguments.positional(1, 1)[0];
  FamilyFolder folder;
  folder.directory = fs::absolute(arguments.required("-o") + "/.").lexically_normal().parent_path().string();
  folder.file = describe(arguments, fs::path(folder.directory).filename().string());
  if (fs::exists(folder.path("family.yaml")) && !arguments.has("--force"))
    return Error{ErrorCode::kAlreadyExists,
                 folder.directory + ": holds a family already; --force replaces it"};

  const auto checkpoint = checkpoint::read_checkpoint(source);
  if (!checkpoint) return checkpoint.error();
  const auto tensors = engine::canonical_tensors(*checkpoint);
  if (!tensors) return Error{ErrorCode::kInvalidArgument, source + ": " + tensors.error().message};
  const auto net = engine::make_supernet(*tensors, folder.file.supernet);
  if (!net) return Error{ErrorCode::kInvalidArgument, source + ": " + net.error().message};
  folder.file.supernet.width = net->width;
  folder.file.classes = net->classes;

  fs::create_directories(folder.directory);
  if (const auto labels = arguments.text("--labels")) {
    if (!fs::exists(*labels)) return Error{ErrorCode::kNotFound, *labels + ": no such file"};
    fs::copy_file(*labels, folder.path(kLabelsFile), fs::copy_options::overwrite_existing);
  }
  const auto written = checkpoint::write_checkpoint(folder.path(kWeightsFile), *tensors);
  if (!written) return written.error();
  if (const auto saved = save_family(folder); !saved) return saved.error();
  print(arguments, folder, *net);
  return kExitOk;
}

}  // namespace

const Verb kImportVerb{"import", "CHECKPOINT -o FOLDER",
                       "Make a family of a Once-for-all MobileNetV3 checkpoint.", kOptions, run};

}  // namespace dofa::tool

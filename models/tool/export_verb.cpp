// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdio>

#include "daemon/engine/ofa_family.hpp"
#include "models/tool/exporters.hpp"
#include "models/tool/family_folder.hpp"
#include "models/tool/verb_list.hpp"
#include "proto/json_writer.hpp"

namespace dofa::tool {
namespace {

constexpr std::array<Option, 3> kOptions{{
    {"-o", "FILE", "what to write; otherwise SUBNET.pt or SUBNET.onnx"},
    {"--format", "FORMAT", "torchscript or onnx; otherwise told by the file's extension, .onnx or any other"},
    {"--json", "", "print what was written as JSON"},
}};

Result<int> run(const Arguments& arguments) {
  const auto& words = arguments.positional(2, 2);
  const std::string wanted = arguments.text("-o").value_or("");
  const std::string format =
      arguments.text("--format").value_or(wanted.ends_with(".onnx") ? "onnx" : "torchscript");
  if (format != "onnx" && format != "torchscript") throw UsageError{"--format takes torchscript or onnx"};
  const auto folder = open_family(words[0]);
  if (!folder) return folder.error();
  if (const auto fits = require_supernet(*folder); !fits) return fits.error();
  const auto index = find_subnet(*folder, words[1]);
  if (!index) return index.error();
  const config::SubnetEntry& entry = folder->file.subnets[*index];
  const auto supernet = engine::load_supernet(folder->directory, folder->file);
  if (!supernet) return supernet.error();
  const auto subnet = engine::load_subnet(folder->directory, entry, *supernet);
  if (!subnet) return subnet.error();

  const std::string path = !wanted.empty() ? wanted : entry.name + (format == "onnx" ? ".onnx" : ".pt");
  const auto done = format == "onnx" ? export_onnx(*supernet, *subnet, entry.resolution, path)
                                     : export_torchscript(*supernet, *subnet, path);
  if (!done) return done.error();
  if (arguments.json()) {
    json::Writer writer;
    writer.begin_object().member("schema", 1).member("subnet", entry.name).member("format", format);
    std::puts(writer.member("file", path).end_object().text().c_str());
  } else {
    std::printf("%s: %s of %s\n", path.c_str(), format == "onnx" ? "ONNX model" : "TorchScript module",
                entry.name.c_str());
  }
  return kExitOk;
}

}  // namespace

const Verb kExportVerb{"export", "FAMILY SUBNET [-o FILE]",
                       "Write a sub-network as a TorchScript module or an ONNX model.", kOptions, run};

}  // namespace dofa::tool

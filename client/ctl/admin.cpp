// SPDX-License-Identifier: Apache-2.0
// load, unload and reload: what changes the service itself. They say nothing when all went well, but in JSON.
#include <filesystem>

#include "client/ctl/verbs.hpp"

namespace dofa::ctl {

namespace {

void confirm(const Context& context, std::string_view family) {
  if (!context.json) return;
  json::Writer writer;
  writer.begin_object().member("schema", 1);
  if (!family.empty()) writer.member("family", family);
  print(writer.end_object());
}

}  // namespace

int run_load(const Context& context) {
  // The service has another working directory.
  const auto directory = std::filesystem::absolute(context.argument(0)).lexically_normal().string();
  const auto name = context.connect().load_family(directory);
  confirm(context, name);
  if (!context.json) print(printable(name) + "\n");
  return kExitOk;
}

int run_unload(const Context& context) {
  const bool force = context.line.has("--force");
  try {
    context.connect().unload_family(context.argument(0), force);
  } catch (const client::Error& error) {
    if (error.code() != client::ErrorCode::kBusy || force) throw;
    throw client::Error(error.code(), std::string(error.what()) + "; --force closes its sessions");
  }
  confirm(context, context.argument(0));
  return kExitOk;
}

int run_reload(const Context& context) {
  context.connect().reload();
  confirm(context, "");
  return kExitOk;
}

}  // namespace dofa::ctl

// SPDX-License-Identifier: Apache-2.0
// plot: a recording as a picture. Needs no service.
#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "client/ctl/verbs.hpp"
#include "client/recording/plot.hpp"

namespace dofa::ctl {

namespace {

namespace fs = std::filesystem;

recording::Recording read_file(const std::string& name) {
  std::error_code error;
  std::ifstream file(name);
  if (!file) throw std::runtime_error(name + ": " + std::generic_category().message(errno));
  if (fs::is_directory(name, error)) throw std::runtime_error(name + ": is a directory");
  try {
    return recording::read(file);
  } catch (const std::runtime_error& fault) {
    throw std::runtime_error(name + ": " + fault.what());
  }
}

void write_file(const std::string& name, const std::string& text) {
  std::ofstream file(name, std::ios::binary | std::ios::trunc);
  if (!file || !(file << text) || !file.flush())
    throw std::runtime_error(name + ": " + std::generic_category().message(errno));
}

std::string output_of(const CommandLine& line) {
  const auto brief = line.text("-o"), full = line.text("--output");
  if (brief && full) throw UsageError("options '-o' and '--output' are the same: give one");
  if (!brief && !full) throw UsageError("'plot' needs -o FILE.svg or -o FILE.html");
  return brief ? *brief : *full;
}

}  // namespace

int run_plot(const Context& context) {
  const auto output = output_of(context.line);
  const auto extension = fs::path(output).extension();
  const bool html = extension == ".html" || extension == ".htm";
  if (!html && extension != ".svg") throw UsageError("'" + output + "' ends neither in .svg nor in .html");
  auto recording = read_file(context.argument(0));
  if (const auto only = context.line.all("--session"); !only.empty()) {
    for (const auto& id : only) {
      if (std::ranges::find(recording.sessions, id, &recording::Session::id) == recording.sessions.end())
        throw client::Error(client::ErrorCode::kNotFound,
                            context.argument(0) + ": has no session '" + id + "'");
    }
    std::erase_if(recording.sessions,
                  [&](const auto& session) { return std::ranges::find(only, session.id) == only.end(); });
  }
  write_file(output, html ? recording::plot_html(recording) : recording::plot_svg(recording));
  if (context.json) {
    json::Writer writer;
    print(writer.begin_object()
              .member("schema", 1)
              .member("file", output)
              .member("sessions", recording.sessions.size())
              .end_object());
  }
  return kExitOk;
}

}  // namespace dofa::ctl

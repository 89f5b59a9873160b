// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/external.hpp"

#include <unistd.h>
#include <dofa/client_types.hpp>

#include <cerrno>
#include <system_error>

namespace dofa::ctl {

namespace fs = std::filesystem;

fs::path find_companion(std::string_view file, const fs::path& folder) {
  std::error_code error;
  const fs::path own = fs::read_symlink("/proc/self/exe", error).parent_path();
  const fs::path prefix = DOFA_INSTALL_PREFIX;
  for (const auto& candidate : {own / file, own.parent_path() / folder / file, prefix / folder / file}) {
    if (fs::is_regular_file(candidate, error)) return candidate;
  }
  return {};
}

int run_external(std::string_view name, const std::vector<std::string>& words) {
  const fs::path program = find_companion(name, fs::path(DOFA_LIBEXEC_DIR) / "dofad");
  if (program.empty()) {
    throw client::Error(client::ErrorCode::kNotSupported,
                        "this needs the program " + std::string(name) + ": install the package dofa-tools");
  }
  std::string own_name = program.filename();
  std::vector<std::string> copies = words;
  std::vector<char*> argv{own_name.data()};
  for (auto& word : copies) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  throw std::system_error(errno, std::generic_category(), "cannot run " + program.string());
}

}  // namespace dofa::ctl

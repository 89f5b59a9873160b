// SPDX-License-Identifier: Apache-2.0
// What comes with dofactl in files of its own, so that dofactl itself starts fast and depends on little: a
// module with image decoders, and verbs that are programs (as git's are). Stateless; any thread's.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace dofa::ctl {

/// A file that was built or installed with this program: beside it (a build directory), else in `folder`
/// (relative to the prefix that the program was installed to, or to the configured one). Empty where there is
/// none.
std::filesystem::path find_companion(std::string_view file, const std::filesystem::path& folder);

/// Becomes the program `name` ("dofactl-top"), found beside dofactl or in libexec/dofad: its exit code is the
/// verb's, and the terminal and signals are its own. Give it Context::words: a helper program calls
/// run_verb() (program.hpp), which reads them as dofactl does. Never returns; throws client::Error
/// (kNotSupported) that names the package where there is no such program. Call it before any thread or
/// connection exists.
[[noreturn]] int run_external(std::string_view name, const std::vector<std::string>& words);

}  // namespace dofa::ctl

// SPDX-License-Identifier: Apache-2.0
// Writing small files so that a failure says why. Stateless.
#pragma once

#include <string>
#include <string_view>

#include "daemon/base.hpp"

namespace dofa::search {

/// Over whatever is there.
Result<void> write_file(const std::string& path, std::string_view bytes);
/// All or nothing, by way of PATH.new, which does not outlive a failure.
Result<void> replace_file(const std::string& path, std::string_view bytes);

}  // namespace dofa::search

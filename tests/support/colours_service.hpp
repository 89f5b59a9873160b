// SPDX-License-Identifier: Apache-2.0
// The real dofad that serves the family `colours` (tests/support/script_family.hpp) from a directory of its
// own. Not thread-safe.
#pragma once

#include <memory>
#include <string>

#include "tests/support/daemon.hpp"
#include "tests/support/script_family.hpp"

namespace dofa::test {

struct ColoursService {
  ColoursService() {
    write_script_family(home.path() / "colours", "colours",
                        {{"small", colour_net(5)}, {"large", colour_net(9)}});
    daemon = std::make_unique<Daemon>("families:\n  roots: [" + home.path().string() + "]\n",
                                      Daemon::shipped_policy(), "info");
  }

  TemporaryDirectory home;
  std::unique_ptr<Daemon> daemon;
};

}  // namespace dofa::test

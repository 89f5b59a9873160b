// SPDX-License-Identifier: Apache-2.0
// What every verb gets: the options that all share, its own command line, and the way to the service. One
// thread's.
#pragma once

#include <dofa/client.hpp>

#include <chrono>
#include <string>
#include <vector>

#include "client/ctl/options.hpp"
#include "client/ctl/output.hpp"
#include "client/ctl/table.hpp"

namespace dofa::ctl {

struct Context {
  client::ConnectOptions connect_options;
  ColorMode color = ColorMode::kAuto;
  bool json = false;
  CommandLine line;
  std::vector<std::string> words;  ///< the command line but for the verb's name, to hand on

  [[nodiscard]] client::Client connect() const { return client::Client::connect(connect_options); }
  [[nodiscard]] Table::Style style() const { return {.width = terminal_width(), .color = use_color(color)}; }
  [[nodiscard]] const std::string& argument(std::size_t index) const { return line.arguments().at(index); }
};

}  // namespace dofa::ctl

// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/engine/options.hpp"

#include <charconv>

namespace dofa::bench {

Result<EngineOptions> parse_engine_options(const Arguments& arguments) {
  EngineOptions options;
  const auto invalid = [](const std::string& what) { return Error{ErrorCode::kInvalidArgument, what}; };
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& name = arguments[i];
    if (name == "--json") {
      options.json = true;
    } else if (name == "--layers") {
      options.layers = true;
    } else if (name == "--on-request") {
      options.on_request = true;
    } else if (name == "--half-head") {
      options.half_head = true;
    } else if (name == "--threads" || name == "--rounds" || name == "--target" || name == "--nets" ||
               name == "--write-family" || name == "--plot") {
      if (++i == arguments.size()) return invalid(name + " needs a value");
      const std::string& value = arguments[i];
      if (name == "--target") options.target = value;
      if (name == "--nets") options.nets = value;
      if (name == "--plot") options.plot = value;
      if (name == "--write-family") options.write_family = value;
      if (name == "--threads" || name == "--rounds") {
        int& number = name == "--threads" ? options.threads : options.rounds;
        const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), number);
        if (fault != std::errc() || end != value.data() + value.size() || number < 1 || number > 1000)
          return invalid(name + " takes a number from 1 to 1000");
      }
    } else {
      return invalid("unknown argument " + name);
    }
  }
  return options;
}

}  // namespace dofa::bench

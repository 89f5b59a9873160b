// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/topic.hpp"

#include <fstream>

namespace dofa::bench {

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

void begin_report(json::Writer& json, std::string_view topic, unsigned threads) {
  json.begin_object()
      .member("schema", 1)
      .member("topic", topic)
      .member("cpu", cpu_name())
      .member("threads", threads);
  json.key("versions")
      .begin_object()
      .member("dofad", DOFA_VERSION)
      .member("compiler", __VERSION__)
      .end_object();
}

}  // namespace dofa::bench

// SPDX-License-Identifier: Apache-2.0
// dofa-bench memory: what a resident family costs. Each family is made in a process of its own, and counted
// is the growth in PSS over that process before it had one; "alone" is a family that holds only one level's
// own tensors.
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <fstream>

#include "daemon/engine/elastic.hpp"
#include "tests/bench/engine/options.hpp"
#include "tests/bench/engine/random_ofa.hpp"

namespace dofa::bench {
namespace {

/// Proportional set size of this process in bytes; 0 where the kernel does not tell.
std::int64_t pss_bytes() {
  std::ifstream file("/proc/self/smaps_rollup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("Pss:")) return 1024 * std::stoll(line.substr(4));
  }
  return 0;
}

/// Bytes by which a family with these levels and one executor, every level run once, makes a process grow.
std::int64_t growth_here(const std::vector<NamedNet>& nets) {
  malloc_trim(0);
  const std::int64_t before = pss_bytes();
  const auto backend = engine::make_elastic_backend(random_model(nets, false));
  if (!backend || before == 0) return -1;
  const auto executor = (*backend)->make_executor();
  if (!executor) return -1;
  for (std::uint32_t level = 0; level < nets.size(); ++level) {
    if (!(*executor)->run(level)) return -1;
  }
  malloc_trim(0);
  return pss_bytes() - before;
}

/// The same in a child; -1 where it failed.
std::int64_t growth(const std::vector<NamedNet>& nets) {
  int ends[2];
  if (pipe(ends) != 0) return -1;
  const pid_t child = fork();
  if (child == 0) {
    const std::int64_t bytes = growth_here(nets);
    _exit(write(ends[1], &bytes, sizeof bytes) == sizeof bytes ? 0 : 1);
  }
  close(ends[1]);
  std::int64_t bytes = -1;
  if (child < 0 || read(ends[0], &bytes, sizeof bytes) != sizeof bytes) bytes = -1;
  close(ends[0]);
  if (child > 0) waitpid(child, nullptr, 0);
  return bytes;
}

struct Family {
  std::size_t levels = 0;
  std::int64_t resident = 0;
  std::int64_t largest_alone = 0;
  [[nodiscard]] double ratio() const {
    return static_cast<double>(resident) / static_cast<double>(largest_alone);
  }
};

Result<Family> measure(const std::vector<NamedNet>& nets) {
  Family family{nets.size(), growth(nets), 0};
  for (const NamedNet& net : nets) family.largest_alone = std::max(family.largest_alone, growth({net}));
  if (family.resident <= 0 || family.largest_alone <= 0)
    return Error{ErrorCode::kFailed, "cannot measure the memory of a family"};
  return family;
}

void add(json::Writer& json, const Family& family) {
  json.member("levels", family.levels).member("resident_bytes", family.resident);
  json.member("largest_alone_bytes", family.largest_alone).member("ratio", family.ratio());
}
}  // namespace

int run_memory(const Arguments& arguments) {
  const auto options = parse_engine_options(arguments);
  if (!options) {
    std::fprintf(stderr, "dofa-bench memory: %s\n", options.error().message.c_str());
    return 2;
  }
  std::vector<NamedNet> paper = named_nets(), random;
  std::erase_if(paper,
                [](const NamedNet& net) { return !net.name.starts_with("paper") || net.width != 1.2; });
  for (unsigned seed = 0; seed < 50; ++seed) random.push_back(random_net(1.2, seed));
  const auto six = measure(paper), fifty = measure(random);
  if (!six || !fifty) {
    std::fprintf(stderr, "dofa-bench memory: %s\n", (six ? fifty : six).error().message.c_str());
    return 1;
  }
  json::Writer json;
  begin_report(json, "memory", 1);
  add(json, *six);
  json.key("random").begin_object();
  add(json, *fifty);
  json.end_object().end_object();
  if (options->json) {
    std::puts(json.text().c_str());
  } else {
    for (const Family& family : {*six, *fifty})
      std::printf("%zu levels: %.1f MB; the largest alone %.1f MB; ratio %.3f\n", family.levels,
                  static_cast<double>(family.resident) / 1e6, static_cast<double>(family.largest_alone) / 1e6,
                  family.ratio());
  }
  return 0;
}

}  // namespace dofa::bench

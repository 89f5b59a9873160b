// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include "daemon/engine/family.hpp"
#include "daemon/engine/thread.hpp"
#include "models/tool/family_folder.hpp"
#include "models/tool/profile_table.hpp"
#include "models/tool/progress.hpp"
#include "models/tool/verb_list.hpp"
#include "proto/json_writer.hpp"

namespace dofa::tool {
namespace {

constexpr std::array<Option, 6> kOptions{{
    {"--rounds", "N", "times each level is run (50), or each layer of a table (20)"},
    {"--table", "FILE",
     "measure the layers of the search space instead, for dofa-model search; goes on with FILE"},
    {"--resolutions", "LIST", "with --table: sides of the input (the levels'; else 160,176,192,208,224)"},
    {"--stem-stride", "N", "of a checkpoint, 1 or 2 (2)"},
    {"--stage-strides", "LIST", "of a checkpoint, strides of the five stages (2,2,2,1,2)"},
    {"--json", "",
     "print subnets[].{name,executor,macs,ms_min,ms_median}; of a table its correction and errors"},
}};

double run_once(engine::Runner& runner, std::uint32_t level, Result<void>& outcome) {
  const auto start = std::chrono::steady_clock::now();
  const auto logits = runner.run(level);
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
  if (!logits) outcome = logits.error();
  return elapsed.count();
}

Result<int> run(const Arguments& arguments) {
  if (arguments.has("--table")) return profile_table(arguments);
  const auto folder = open_family(arguments.positional(1, 1)[0]);
  if (!folder) return folder.error();
  const auto rounds = static_cast<std::size_t>(arguments.integer("--rounds", 50, 1, 100'000));
  const auto family = engine::load_family(folder->directory, folder->file);
  if (!family) return family.error();
  engine::prepare_inference_thread(true);
  auto runner = (*family)->make_runner(*family);
  if (!runner) return runner.error();

  const auto& levels = (*family)->levels();
  std::vector<std::vector<double>> times(levels.size());
  {
    Progress progress("profiling: round", rounds);
    Result<void> outcome;
    for (std::size_t round = 0; round < rounds && outcome;
         ++round) {  // interleaved, so that drift meets all levels
      for (std::uint32_t level = 0; level < levels.size(); ++level)
        times[level].push_back(run_once(**runner, level, outcome));
      progress.step();
    }
    if (!outcome) return outcome.error();
  }
  json::Writer writer;
  writer.begin_object().member("schema", 1).member("family", folder->file.name).member("rounds", rounds);
  writer.member("resident_bytes", (*family)->resident_bytes()).key("subnets").begin_array();
  for (std::size_t i = 0; i < levels.size(); ++i) {
    std::ranges::sort(times[i]);
    const double median = times[i][times[i].size() / 2];
    writer.begin_object().member("name", levels[i].name).member("executor", levels[i].executor);
    writer.member("macs", levels[i].macs)
        .member("ms_min", times[i].front())
        .member("ms_median", median)
        .end_object();
    if (!arguments.json())
      std::printf("%-24s %-10s %8.2f ms least, %8.2f ms median\n", levels[i].name.c_str(),
                  levels[i].executor.c_str(), times[i].front(), median);
  }
  if (arguments.json()) std::puts(writer.end_array().end_object().text().c_str());
  return kExitOk;
}

}  // namespace

const Verb kProfileVerb{"profile", "FAMILY | FAMILY|CHECKPOINT --table FILE",
                        "Measure how long each level, or each layer, takes on this machine.", kOptions, run};

}  // namespace dofa::tool

// SPDX-License-Identifier: Apache-2.0
// The table of dofactl's verbs, and the functions behind it: each does one verb's work and returns an
// ExitCode, or throws UsageError or client::Error.
#pragma once

#include <span>
#include <string_view>

#include "client/ctl/context.hpp"
#include "client/ctl/options.hpp"

namespace dofa::ctl {

struct Verb {
  std::string_view name;
  std::string_view alias;
  std::string_view arguments;  ///< as in the help
  std::string_view summary;
  std::span<const Option> options;
  std::size_t fewest;
  std::size_t most;
  int (*run)(const Context&);
  bool hidden = false;  ///< for programs: not in the help
};

std::span<const Verb> verbs();
/// Throws UsageError where there is none of that name.
const Verb& find_verb(std::string_view name);
/// Options that every verb takes.
std::span<const Option> global_options();

int run_status(const Context& context);
int run_version(const Context& context);
int run_families(const Context& context);
int run_show(const Context& context);
int run_classify(const Context& context);
int run_stream(const Context& context);
int run_bench_client(const Context& context);
int run_sessions(const Context& context);
int run_set(const Context& context);
int run_load(const Context& context);
int run_unload(const Context& context);
int run_profile(const Context& context);
int run_reload(const Context& context);
int run_monitor(const Context& context);
int run_top(const Context& context);
int run_record(const Context& context);
int run_plot(const Context& context);
int run_complete(const Context& context);
int run_config(const Context& context);
int run_parse_tegrastats(const Context& context);
int run_help(const Context& context);

}  // namespace dofa::ctl

// SPDX-License-Identifier: Apache-2.0
// What dofa-bench's topics share. A topic is one function of its arguments; its line in main.cpp's table
// makes it known.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/json_writer.hpp"

namespace dofa::bench {

using Arguments = std::vector<std::string>;  ///< after the topic's name

/// Name of the CPU from /proc/cpuinfo; "unknown" where it has none.
std::string cpu_name();

/// Opens the report's object and writes what every topic states: schema, topic, CPU, threads, versions.
/// The topic adds its fields and calls end_object().
void begin_report(json::Writer& json, std::string_view topic, unsigned threads);

// The topics. Each returns the exit status: 0, 1 (failed) or 2 (usage, explained on stderr).
int run_cuda(const Arguments& arguments);
int run_engine(const Arguments& arguments);
int run_headline(const Arguments& arguments);
int run_ipc(const Arguments& arguments);
int run_live(const Arguments& arguments);
int run_memory(const Arguments& arguments);
int run_policy(const Arguments& arguments);
int run_replay(const Arguments& arguments);
int run_switch(const Arguments& arguments);

}  // namespace dofa::bench

// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/verbs.hpp"

#include <array>
#include <limits>

namespace dofa::ctl {

namespace {

constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();

constexpr std::array kGlobalOptions{
    Option{"--bus", "system|session|ADDRESS", "bus to look for dofad on (default: $DOFA_BUS, else system)"},
    Option{"--timeout", "SECONDS", "longest wait for an answer (default 25)"},
    Option{"--color", "auto|always|never", "auto honours NO_COLOR (default auto)"},
    Option{"--json", "", "print one JSON object, \"schema\": 1 (monitor and stream: one a line)"},
    Option{"--help", "", "say how a verb is used"},
    Option{"-h", "", "the same"}};
constexpr std::array kClassifyOptions{
    Option{"--family", "NAME", "family to use (default: the first loaded)"},
    Option{"--top", "K", "classes to show, 1 to 100 (default 5)"},
    Option{"--level", "N", "fixed level, 0 = fastest (contract key level)"},
    Option{"--min-accuracy", "X", "lowest top-1 accepted, 0 to 1 (contract key min-accuracy)"},
    Option{"--budget-us", "N", "latency budget, µs (contract key latency-budget-us)"},
    Option{"--contract", "KEY=VALUE", "any other contract key; may be repeated", true}};
constexpr std::array kStreamOptions{
    Option{"--family", "NAME", "family to use (default: the first loaded)"},
    Option{"--fps", "N", "frames a second, up to 1000 (default: the source's own, else 30)"},
    Option{"--frames", "N", "end after so many frames"},
    Option{"--loop", "", "begin again at the end of the folder or video"},
    Option{"--level", "N", "fixed level, 0 = fastest (contract key level)"},
    Option{"--min-accuracy", "X", "lowest top-1 accepted, 0 to 1 (contract key min-accuracy)"},
    Option{"--budget-us", "N", "latency budget, µs (contract key latency-budget-us)"},
    Option{"--contract", "KEY=VALUE", "any other contract key; may be repeated", true}};
constexpr std::array kBenchOptions{
    Option{"--sessions", "N", "applications at once, 1 to 256 (default 1)"},
    Option{"--rate", "HZ", "frames a second of each, 0.1 to 1000 (default 30)"},
    Option{"--format", "FORMAT", "rgb8, bgr8, gray8, nv12, yuyv or float32-nchw (default rgb8)"},
    Option{"--size", "WIDTHxHEIGHT", "pixels of a frame (default 640x480)"},
    Option{"--seconds", "N", "how long, 0.1 to 86400 (default 10)"},
    Option{"--family", "NAME", "family to use (default: the first loaded)"},
    Option{"--level", "N", "fixed level, 0 = fastest (contract key level)"},
    Option{"--min-accuracy", "X", "lowest top-1 accepted, 0 to 1 (contract key min-accuracy)"},
    Option{"--budget-us", "N", "latency budget, µs (contract key latency-budget-us)"},
    Option{"--contract", "KEY=VALUE", "any other contract key; may be repeated", true}};
constexpr std::array kUnloadOptions{Option{"--force", "", "close the sessions that use it"}};
constexpr std::array kMonitorOptions{Option{"--interval", "SECONDS", "also print the processors this often"}};
constexpr std::array kTopOptions{Option{"--interval", "SECONDS", "between two looks, 0.1 to 60 (default 1)"}};
constexpr std::array kRecordOptions{
    Option{"--seconds", "SECONDS", "end after so long (default: at Ctrl-C)"},
    Option{"--session", "ID", "this session only; may be repeated", true},
    Option{"--interval", "SECONDS", "between two looks, 0.05 to 10 (default 0.2)"}};
constexpr std::array kPlotOptions{Option{"-o", "FILE", "picture to write, FILE.svg or FILE.html"},
                                  Option{"--output", "FILE", "the same"},
                                  Option{"--session", "ID", "this session only; may be repeated", true}};

constexpr std::array kVerbs{
    Verb{"status", "", "", "the service and its processors (the default)", {}, 0, 0, run_status},
    Verb{"families", "list", "", "loaded families", {}, 0, 0, run_families},
    Verb{"show", "", "NAME", "a family's sub-networks, with what was measured", {}, 1, 1, run_show},
    Verb{"classify", "", "IMAGE…", "classes of JPEG, PNG or WebP images", kClassifyOptions, 1, kAny,
         run_classify},
    Verb{"stream", "", "SOURCE", "a folder's images, a video or a camera through a frame stream",
         kStreamOptions, 1, 1, run_stream},
    Verb{"bench-client", "", "", "load the service as several applications, and say what each got",
         kBenchOptions, 0, 0, run_bench_client},
    Verb{"sessions", "", "", "open sessions of all applications", {}, 0, 0, run_sessions},
    Verb{"set",
         "",
         "SESSION KEY=VALUE…",
         "change a session's contract; KEY= returns to the default",
         {},
         2,
         kAny,
         run_set},
    Verb{"load", "", "DIRECTORY", "load a family", {}, 1, 1, run_load},
    Verb{"unload", "", "NAME", "unload a family", kUnloadOptions, 1, 1, run_unload},
    Verb{"profile",
         "",
         "NAME",
         "measure a family's levels anew on this machine, and show them (waits 120 s)",
         {},
         1,
         1,
         run_profile},
    Verb{"reload", "", "", "make dofad read its configuration again", {}, 0, 0, run_reload},
    Verb{"monitor", "", "", "print events as they happen, until interrupted", kMonitorOptions, 0, 0,
         run_monitor},
    Verb{"top", "", "", "processors and sessions on the whole screen; change contracts there", kTopOptions, 0,
         0, run_top},
    Verb{"record", "", "FILE", "write frames, readings and switches to a file, one JSON object a line",
         kRecordOptions, 1, 1, run_record},
    Verb{"plot", "", "FILE", "draw a recording", kPlotOptions, 1, 1, run_plot},
    Verb{"config",
         "",
         "check [FILE]",
         "check a configuration file with dofad's own rules",
         {},
         1,
         2,
         run_config},
    Verb{"parse-tegrastats",
         "",
         "FILE",
         "readings in recorded tegrastats output, as JSON",
         {},
         1,
         1,
         run_parse_tegrastats},
    Verb{"complete",
         "",
         "[WORD…]",
         "what could stand in place of the last word",
         {},
         0,
         kAny,
         run_complete,
         true},
    Verb{"version", "", "", "dofactl's version", {}, 0, 0, run_version},
    Verb{"help", "", "[VERB]", "this list, or a verb's options", {}, 0, 1, run_help}};

}  // namespace

std::span<const Verb> verbs() {
  return kVerbs;
}
std::span<const Option> global_options() {
  return kGlobalOptions;
}

const Verb& find_verb(std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& verb : kVerbs) {
    if (name == verb.name || (!verb.alias.empty() && name == verb.alias)) return verb;
    if (!verb.hidden) names.push_back(verb.name);
  }
  throw UsageError("unknown verb '" + std::string(name) + "'" + suggestion(name, names));
}

}  // namespace dofa::ctl

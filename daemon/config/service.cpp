// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/service.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

#include "daemon/config/yaml_reader.hpp"

namespace dofa::config {
namespace {

constexpr std::array<std::string_view, 6> kLogLevels{"debug", "info", "notice", "warning", "err", "crit"};

LogOptions read_log(YamlMap map) {
  LogOptions log;
  map.read("level", log.level);
  if (std::find(kLogLevels.begin(), kLogLevels.end(), log.level) == kLogLevels.end()) {
    map.fail(map.take("level"), "level",
             "must be debug, info, notice, warning, err or crit, not '" + log.level + "'");
  }
  map.finish();
  return log;
}

FamilyOptions read_families(YamlMap map) {
  FamilyOptions families;
  map.read("roots", families.roots);
  if (families.roots.empty()) map.fail(map.take("roots"), "roots", "must list at least one directory");
  for (const std::string& root : families.roots) {
    if (root.empty() || root.front() != '/') {
      map.fail(map.take("roots"), "roots", "must list absolute directories, not '" + root + "'");
    }
  }
  map.read("load", families.load);
  map.read("verify_timeout_s", families.verify_timeout_s, 1, 3600);
  map.read("profiles", families.profiles);
  if (!families.profiles.empty() && families.profiles.front() != '/') {
    map.fail(map.take("profiles"), "profiles",
             "must be an absolute directory, not '" + families.profiles + "'");
  }
  map.finish();
  return families;
}

LaneOptions read_lanes(YamlMap map) {
  LaneOptions lanes;
  map.read("cpu", lanes.cpu, 0, 256);
  map.read("nice", lanes.nice, -20, 19);
  map.read("realtime", lanes.realtime, 0, 50);
  if (map.has("affinity")) {
    for (const YAML::Node& core : map.items(map.take("affinity"), "affinity")) {
      lanes.affinity.push_back(static_cast<std::uint32_t>(map.integer(core, "affinity", 0, 1023)));
    }
  }
  map.finish();
  return lanes;
}

EngineOptions read_engine(YamlMap map) {
  EngineOptions engine;
  map.read("onednn", engine.onednn);
  map.read("gpus", engine.gpus);
  map.read("gpu_precision", engine.gpu_precision);
  if (engine.gpu_precision != "half" && engine.gpu_precision != "float") {
    map.fail(map.take("gpu_precision"), "gpu_precision",
             "must be half or float, not '" + engine.gpu_precision + "'");
  }
  map.finish();
  return engine;
}

LimitOptions read_limits(YamlMap map) {
  LimitOptions limits;
  map.read("sessions", limits.sessions, 1, 4096);
  map.read("sessions_per_uid", limits.sessions_per_uid, 1, 4096);
  map.read("families", limits.families, 1, 256);
  map.read("queue", limits.queue, 1, 4096);
  map.read("frame_bytes", limits.frame_bytes, 4096, 1ULL << 32);
  map.read("ring_bytes", limits.ring_bytes, 4096, 1ULL << 36);
  map.read("ring_bytes_per_uid", limits.ring_bytes_per_uid, 4096, 1ULL << 40);
  map.read("ring_slots", limits.ring_slots, 1, 1024);
  map.finish();
  return limits;
}

ControlOptions read_control(YamlMap map) {
  ControlOptions control;
  map.read("tick_ms", control.tick_ms, 5, 1000);
  map.read("stuck_after_s", control.stuck_after_s, 1, 3600);
  map.finish();
  return control;
}

/// The port of "127.0.0.1:PORT" or "[::1]:PORT"; 0 where it is neither.
unsigned loopback_port(std::string_view address) {
  for (const std::string_view host : {"127.0.0.1:", "[::1]:"}) {
    if (!address.starts_with(host)) continue;
    address.remove_prefix(host.size());
    unsigned port = 0;
    const auto [end, error] = std::from_chars(address.data(), address.data() + address.size(), port);
    return error == std::errc{} && end == address.data() + address.size() && port <= 65535 ? port : 0;
  }
  return 0;
}

MetricsOptions read_metrics(YamlMap map) {
  constexpr std::size_t kMaxSocketPath = 107;  // sun_path of sockaddr_un, without its NUL
  MetricsOptions metrics;
  map.read("listen", metrics.listen);
  const std::string& listen = metrics.listen;
  const bool path = listen.starts_with('/') && listen.size() <= kMaxSocketPath;
  if (!listen.empty() && !path && loopback_port(listen) == 0) {
    map.fail(
        map.take("listen"), "listen",
        "must be an absolute path of at most 107 bytes, 127.0.0.1:PORT or [::1]:PORT, not '" + listen + "'");
  }
  map.finish();
  return metrics;
}

ServiceOptions read_all(YamlMap top) {
  ServiceOptions options;
  options.log = read_log(top.map("log"));
  options.families = read_families(top.map("families"));
  options.lanes = read_lanes(top.map("lanes"));
  options.engine = read_engine(top.map("engine"));
  options.limits = read_limits(top.map("limits"));
  options.control = read_control(top.map("control"));
  options.metrics = read_metrics(top.map("metrics"));
  top.finish();
  return options;
}

}  // namespace

std::set<std::string> service_keys() {
  std::set<std::string> keys;
  (void)read_all(YamlMap({}, "", "", &keys));
  std::erase_if(keys,
                [](const std::string& key) { return key.find('.') == key.npos; });  // those are sections
  return keys;
}

Result<ServiceOptions> parse_service(const std::string& text, const std::string& path) {
  try {
    return read_all(YamlMap(parse_yaml(text, path), path, ""));
  } catch (const std::exception& fault) {  // ConfigFault, or whatever yaml-cpp throws on odd nodes
    return Error{ErrorCode::kInvalidArgument, fault.what()};
  }
}

Result<ServiceOptions> read_service(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    return Error{ErrorCode::kInvalidArgument, path + ": cannot be read: it is a directory"};
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const auto code = errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kInvalidArgument;
    return Error{code, path + ": cannot be read: " + std::strerror(errno)};
  }
  std::ostringstream text;
  text << file.rdbuf();
  return parse_service(text.str(), path);
}

std::vector<std::string> keys_needing_restart(const ServiceOptions& running, const ServiceOptions& wanted) {
  std::vector<std::string> keys;
  if (running.lanes.cpu != wanted.lanes.cpu) keys.emplace_back("lanes.cpu");
  if (running.lanes.nice != wanted.lanes.nice) keys.emplace_back("lanes.nice");
  if (running.lanes.realtime != wanted.lanes.realtime) keys.emplace_back("lanes.realtime");
  if (running.lanes.affinity != wanted.lanes.affinity) keys.emplace_back("lanes.affinity");
  if (running.engine.onednn != wanted.engine.onednn) keys.emplace_back("engine.onednn");
  if (running.engine.gpus != wanted.engine.gpus) keys.emplace_back("engine.gpus");
  if (running.engine.gpu_precision != wanted.engine.gpu_precision) keys.emplace_back("engine.gpu_precision");
  if (running.families.load != wanted.families.load) keys.emplace_back("families.load");
  if (running.families.profiles != wanted.families.profiles) keys.emplace_back("families.profiles");
  if (running.families.verify_timeout_s != wanted.families.verify_timeout_s) {
    keys.emplace_back("families.verify_timeout_s");
  }
  if (running.metrics.listen != wanted.metrics.listen) keys.emplace_back("metrics.listen");
  if (running.control.tick_ms != wanted.control.tick_ms) keys.emplace_back("control.tick_ms");
  return keys;
}

}  // namespace dofa::config

// SPDX-License-Identifier: Apache-2.0
// The service's options (dofad.yaml) as plain structs: every default with its unit and its reason. Reading is
// strict, as for families. etc/dofad.yaml shows each key commented out at the default given here, and a test
// holds the two together. Values only; thread-safe.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "daemon/base.hpp"

namespace dofa::config {

struct LogOptions {
  std::string level =
      "info";  ///< debug, info, notice, warning, err, crit: as `systemctl service-log-level` takes them
  bool operator==(const LogOptions&) const = default;
};

struct FamilyOptions {
  /// Families load only from beneath these: a TorchScript module is code. Missing ones are skipped.
  std::vector<std::string> roots{"/usr/share/dofad/models", "/var/lib/dofad/families"};
  /// Names (directories beneath a root) to load at start; empty = every family found.
  std::vector<std::string> load;
  /// A module that does not answer its dry run in this time, seconds, is refused: it may loop for ever. Large
  /// nets on small boards need tens of seconds for their first pass.
  std::uint32_t verify_timeout_s = 60;
  /// Where measured latencies are kept between starts; empty = measured anew each time.
  std::string profiles = "/var/lib/dofad/profiles";
  bool operator==(const FamilyOptions&) const = default;
};

struct LaneOptions {
  /// CPU lanes; 0 = online cores - 1, at least 1: one core stays free for the applications' own work.
  std::uint32_t cpu = 0;
  /// Nice value of the lanes' threads, -20 (most favoured) to 19; 0 = as everybody. Needs LimitNICE= below 0.
  std::int32_t nice = 0;
  /// SCHED_RR priority of the lanes' threads, 1..50; 0 = off. A thread that computes for a second without a
  /// pause is put back into the ordinary class. Off by default: it starves whatever else wants that core.
  std::uint32_t realtime = 0;
  /// Cores the lanes are pinned to, in turn; empty = the scheduler's choice.
  std::vector<std::uint32_t> affinity;
  bool operator==(const LaneOptions&) const = default;
};

struct EngineOptions {
  /// oneDNN inside LibTorch. Off makes batched and depthwise convolutions slower, and is the way to run under
  /// MemoryDenyWriteExecute=yes.
  bool onednn = true;
  /// Whether GPUs run frames beside the CPU, where the build and the machine have any. Off leaves their
  /// memory to others.
  bool gpus = true;
  /// Of Once-for-all families on GPUs: "half" (activations and weights fp16, sums and the last layers fp32)
  /// or "float", which takes longer and answers as the CPU does.
  std::string gpu_precision = "half";
  bool operator==(const EngineOptions&) const = default;
};

/// Everything a caller can make the service allocate has a limit here.
struct LimitOptions {
  std::uint32_t sessions = 64;  ///< in all; far above the programs that share one board
  std::uint32_t sessions_per_uid =
      16;                      ///< so that one user cannot take all of them; root is held to it as well
  std::uint32_t families = 8;  ///< each keeps its weights resident
  std::uint32_t queue = 64;    ///< frames waiting, per session: beyond this a caller is flooding
  std::uint64_t frame_bytes = 64ULL << 20;  ///< one frame; 3840 x 2160 rgb8 is 24.9 MB
  std::uint64_t ring_bytes = 128ULL << 20;  ///< one frame ring: four frames of 3840 x 2160 rgb8 are 99.5 MB
  std::uint64_t ring_bytes_per_uid =
      512ULL << 20;               ///< all rings of a user: pages that nobody touched are charged to us
  std::uint32_t ring_slots = 64;  ///< frames in flight, per ring
  bool operator==(const LimitOptions&) const = default;
};

struct ControlOptions {
  std::uint32_t tick_ms = 50;        ///< period of the control loop: effects of load start within 25-60 ms
  std::uint32_t stuck_after_s = 30;  ///< a lane busy with one frame for longer stops the watchdog's feed
  bool operator==(const ControlOptions&) const = default;
};

struct MetricsOptions {
  /// Where to answer HTTP with text metrics for Prometheus: the path of a local socket, or 127.0.0.1:PORT or
  /// [::1]:PORT. Empty = nowhere: who does not scrape need not serve. Other addresses are refused: there is
  /// no encryption here.
  std::string listen;
  bool operator==(const MetricsOptions&) const = default;
};

struct ServiceOptions {
  LogOptions log;
  FamilyOptions families;
  LaneOptions lanes;
  EngineOptions engine;
  LimitOptions limits;
  ControlOptions control;
  MetricsOptions metrics;
  bool operator==(const ServiceOptions&) const = default;
};

/// Reads the text of a dofad.yaml; `path` is only for messages ("path:line:column: …", kInvalidArgument).
Result<ServiceOptions> parse_service(const std::string& text, const std::string& path);
/// Reads and parses `path`; kNotFound where it cannot be opened.
Result<ServiceOptions> read_service(const std::string& path);
/// Every key that parse_service() knows, dotted.
std::set<std::string> service_keys();
/// Keys that differ between the two and take effect only at the next start, as dotted names.
std::vector<std::string> keys_needing_restart(const ServiceOptions& running, const ServiceOptions& wanted);

}  // namespace dofa::config

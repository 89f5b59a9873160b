// SPDX-License-Identifier: Apache-2.0
// The plain data that dofa::client speaks: what the service says about itself, contracts, frames, answers,
// errors. Values only; no bus type appears here. Units are in the names; shares, loads, accuracies and
// probabilities are 0..1. An empty std::optional means "not known" in what the service says, "leave it" in
// what one asks of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#define DOFA_CLIENT_API __attribute__((visibility("default")))

namespace dofa::client {

/// Why a call failed: the service's own errors (org.dofa.Dofa1.Error.*), then the two that arise on the way
/// to it.
enum class ErrorCode {
  kFailed,
  kInvalidArgument,
  kNotFound,
  kAlreadyExists,
  kBusy,
  kNotReady,
  kNotSupported,
  kNotAuthorized,
  kCancelled,
  kMissedDeadline,
  kUnsatisfiable,
  kResourceExhausted,
  kInvalidFamily,
  kUnreachable,  ///< no such bus, or no service on it
  kTimedOut,     ///< the service did not answer in time
};

/// "NotFound" for kNotFound, and so on.
DOFA_CLIENT_API std::string_view name_of(ErrorCode code);

/// What every call throws. what() is one line for a person.
class DOFA_CLIENT_API Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

/// A contract, or the keys of one to change. The service's defaults are in org.dofa.Dofa1.Session.xml.
struct Contract {
  std::optional<std::uint64_t> latency_budget_us = {};  ///< submitting a frame to its answer
  std::optional<double> min_accuracy = {};              ///< lowest measured top-1 accepted
  std::optional<std::uint64_t> period_us = {};          ///< time between frames
  std::optional<std::string> objective = {};            ///< "accuracy", "latency" or "energy"
  std::optional<double> percentile = {};                ///< share of frames that must be in time
  std::optional<std::uint32_t> priority = {};           ///< 1..100
  std::optional<std::string> when_late = {};            ///< "deliver" or "drop"
  std::optional<std::uint32_t> level = {};              ///< fixed by hand; 0 = fastest
  std::optional<std::string> processor = {};            ///< fixed by hand
  /// Of changes only: keys, by their bus names, that return to their defaults before the others are set.
  std::vector<std::string> unset = {};
  bool operator==(const Contract&) const = default;
};

/// One processor as the service sees it now.
struct Processor {
  std::string name;
  std::optional<std::uint32_t> lanes = {};
  std::optional<std::uint32_t> queue = {};  ///< frames waiting
  std::optional<double> load = {};          ///< everything on the machine
  std::optional<double> others_load = {};   ///< without the service
  std::optional<double> slowdown = {};      ///< measured inference time / profiled time
  std::optional<double> frequency_mhz = {};
  std::optional<double> temperature_celsius = {};
  std::optional<double> power_watts = {};  ///< beside "cpu": the whole board's
  std::optional<std::string> simd = {};
  std::optional<std::string> model = {};  ///< a GPU's, as its driver names it
  std::optional<std::string> lost = {};   ///< why it cannot be used now; absent: it can
};

struct Service {
  std::string version;
  std::string state;  ///< "starting", "running", "stopping"; treat another word as "running"
  std::vector<Processor> processors;
};

/// Measured latency of a sub-network on one processor of this machine.
struct Profile {
  std::uint64_t latency_us = 0;
  bool provisional = true;  ///< not yet measured while the machine was quiet
};

struct Subnet {
  std::string name;
  std::uint32_t level = 0;
  std::uint32_t resolution = 0;  ///< side of the square input, pixels
  std::string executor;
  std::optional<std::uint64_t> macs = {};
  std::optional<double> top1 = {};
  std::optional<double> top5 = {};
  std::optional<std::string> dataset = {};       ///< what top1 and top5 were measured on
  std::optional<std::uint32_t> images = {};      ///< with how many images
  std::map<std::string, Profile> profiles = {};  ///< by processor
};

struct Family {
  std::string name;
  std::string kind;
  std::string task;
  std::vector<std::string> labels;  ///< by class index; may be empty
  std::uint64_t resident_bytes = 0;
  std::vector<Subnet> subnets;  ///< by level, fastest first
};

/// What the service says of a session's frames so far. Quantiles are in the names: p95 = 95 % are below.
struct Statistics {
  std::optional<double> mean_accuracy = {};  ///< of the frames answered
  std::optional<std::uint64_t> dips = {};    ///< frames run below the planned level
  std::optional<std::uint64_t> switches = {};
  std::optional<std::uint32_t> switches_last_minute = {};
  std::optional<double> queue_us_p50 = {};  ///< waiting
  std::optional<double> queue_us_p95 = {};
  std::optional<double> queue_us_p99 = {};
  std::optional<double> service_us_p50 = {};  ///< preprocessing and inference
  std::optional<double> service_us_p95 = {};
  std::optional<double> service_us_p99 = {};
};

/// A snapshot of one session.
struct SessionInfo {
  std::string id;  ///< the N of /org/dofa/Dofa1/session/N
  std::string application;
  std::string owner;  ///< unique bus name
  std::string family;
  Contract contract;
  std::string subnet;
  std::uint32_t level = 0;
  std::string processor;
  double accuracy = 0;  ///< NaN where nobody measured
  std::uint64_t expected_latency_us = 0;
  std::uint64_t frames = 0;
  std::uint64_t missed_deadlines = 0;
  std::uint64_t dropped = 0;
  double attainment = 0;  ///< NaN before the first frame
  Statistics statistics;
};

/// What became of one frame, of whatever application.
struct FrameRecord {
  enum class Outcome { kInTime, kLate, kDropped };
  std::uint64_t arrival_us = 0;  ///< CLOCK_MONOTONIC
  std::uint64_t queue_us = 0;    ///< from arrival to the start of its preparation
  std::uint64_t service_us = 0;  ///< from there to its answer
  std::uint32_t level = 0;
  Outcome outcome = Outcome::kInTime;  ///< dropped: the times and the level are 0
};

struct RecentFrames {
  std::uint64_t next = 0;           ///< frames recorded so far: what to ask for next time
  std::vector<FrameRecord> frames;  ///< oldest first
};

enum class PixelFormat { kRgb8, kBgr8, kGray8, kNv12, kYuyv, kFloat32Nchw };

/// A view of an image: whoever makes one keeps the pixels alive until infer() or infer_async() has returned.
struct Frame {
  std::span<const std::byte> pixels;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  PixelFormat format = PixelFormat::kRgb8;
  std::uint32_t stride = 0;  ///< bytes from row to row; 0 = no padding
};

struct InferOptions {
  std::optional<std::uint32_t> top_k = {};        ///< 1..100; the service's default is 5
  std::optional<std::uint64_t> deadline_us = {};  ///< from now; may only be later than the contract's
};

struct Score {
  std::uint32_t class_index = 0;
  double probability = 0;
};

struct Answer {
  std::vector<Score> top;  ///< best first
  std::uint64_t sequence = 0;
  std::uint32_t level = 0;
  std::string subnet;
  std::string processor;
  bool late = false;
  std::uint64_t queue_us = 0;
  std::uint64_t preprocess_us = 0;
  std::uint64_t inference_us = 0;
};

/// What became of an asynchronous infer(): exactly one of the two is set.
struct Outcome {
  std::optional<Answer> answer;
  std::optional<Error> error;
};

struct SubnetChange {
  std::string from;
  std::string to;
  std::string processor;
  std::string reason;
};

}  // namespace dofa::client

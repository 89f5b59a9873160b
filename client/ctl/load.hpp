// SPDX-License-Identifier: Apache-2.0
// One of the applications that `dofactl bench-client` plays: a connection, a session and a stream of its own,
// frames at a steady rate, and what became of each. The frames are drawn once a slot, so that the load lies
// with the service.
#pragma once

#include <dofa/client.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dofa::ctl {

struct LoadPlan {
  client::ConnectOptions connect;
  std::string family;
  client::Contract contract;
  double rate_hz = 30;
  client::PixelFormat format = client::PixelFormat::kRgb8;
  std::uint32_t width = 640;
  std::uint32_t height = 480;
  std::chrono::duration<double> duration = std::chrono::seconds(10);
};

/// What became of frames. Latencies in µs, unsorted, of the answered ones.
struct LoadCount {
  std::uint64_t submitted = 0;
  std::uint64_t answered = 0;
  std::uint64_t late = 0;               ///< of the answered
  std::uint64_t failed = 0;             ///< answered with an error: dropped by contract, refused
  std::uint64_t given_up = 0;           ///< the ring was full
  std::uint64_t lost = 0;               ///< without any answer at the end
  std::uint64_t levels = 0;             ///< sum over the answered
  std::vector<double> latency_us = {};  ///< publishing to being awake with the result, by our own clock
  std::vector<double> service_us = {};  ///< the service's part: queue, preprocessing, inference
  std::string last_error = {};

  void add(const LoadCount& other);
  /// In time, of all that had to be answered: as a session's own statistics count.
  [[nodiscard]] double attainment() const;
  /// Mean of the answered.
  [[nodiscard]] double level() const;
};

/// The value below which `share` of `values` lie (nearest rank); nothing where there are none.
std::optional<double> quantile(std::vector<double> values, double share);

/// Nothing where `text` is no format of the bus's.
std::optional<client::PixelFormat> parse_format(const std::string& text);

class Load {
 public:
  /// Opens session and stream. Throws client::Error.
  explicit Load(const LoadPlan& plan);

  /// Sends until the plan's duration is over or `stop` says so, from `offset` periods on (0..1, so that many
  /// do not beat as one); then waits for the last answers.
  LoadCount run(double offset, const std::atomic<bool>& stop);

 private:
  struct Round;
  LoadPlan plan_;
  client::Client client_;
  client::Session session_;
  client::Stream stream_;
};

}  // namespace dofa::ctl

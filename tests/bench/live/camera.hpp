// SPDX-License-Identifier: Apache-2.0
// An application with a camera: one session that submits a frame each period through Session::infer_async and
// notes what became of it. start() and stop() belong to one thread; records() is for after stop(), latest()
// for any time.
#pragma once

#include <atomic>
#include <cstdint>
#include <dofa/client.hpp>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace dofa::bench {

struct CameraFrame {
  std::int64_t submitted_us = 0;  ///< since the origin
  std::int64_t latency_us = 0;    ///< until the answer or the refusal arrived
  int level = -1;                 ///< -1: not run
  bool in_time = false;
};

class Camera {
 public:
  /// `origin_us` is CLOCK_MONOTONIC time zero of the records.
  Camera(client::Client& client, const std::string& name, const std::string& family,
         const client::Contract& contract, std::int64_t origin_us);
  ~Camera();
  Camera(const Camera&) = delete;
  Camera& operator=(const Camera&) = delete;

  void start();
  void stop();  ///< waits for the answers under way
  [[nodiscard]] std::vector<CameraFrame> records() const;
  /// The frames of the last `window_us`.
  [[nodiscard]] std::vector<CameraFrame> latest(std::int64_t now_us, std::int64_t window_us) const;
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::int64_t budget_us() const { return budget_us_; }
  [[nodiscard]] client::SessionInfo info() const { return session_.info(); }
  [[nodiscard]] std::vector<std::string> switches() const;  ///< SubnetChanged, one line each

 private:
  void run();
  void note(std::int64_t submitted_us, const client::Outcome& outcome);

  const std::string name_;
  const std::int64_t origin_us_;
  const std::int64_t budget_us_;
  const std::int64_t period_us_;
  std::vector<std::byte> pixels_;
  mutable std::mutex mutex_;
  std::vector<CameraFrame> records_;
  std::vector<std::string> switches_;
  std::atomic<int> under_way_ = 0;
  std::atomic<bool> running_ = false;
  client::Session session_;
  std::thread thread_;
};

std::int64_t monotonic_us();

}  // namespace dofa::bench

// SPDX-License-Identifier: Apache-2.0
// A well-behaved application on a thread of its own, by libdofa-client: frames of one pure colour after the
// other at a steady rate, each answer checked against what was drawn. The family must be one of
// colour_net()s. Waits for a slot rather than give a frame up, so that whatever is missing was lost by the
// service.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include <dofa/client.hpp>

namespace dofa::test {

class LoadClient {
 public:
  LoadClient(const std::string& bus, std::string name, double rate_hz, const client::Contract& contract);
  ~LoadClient() { stop(); }
  LoadClient(const LoadClient&) = delete;
  LoadClient& operator=(const LoadClient&) = delete;

  /// Sends no more, and waits for the answers of what was sent. Idempotent.
  void stop();

  // After stop(), or at any time as a snapshot:
  std::atomic<std::uint64_t> submitted = 0;
  std::atomic<std::uint64_t> answered = 0;       ///< with the class that was drawn
  std::atomic<std::uint64_t> crossed = 0;        ///< with another class, twice, or out of nowhere
  std::atomic<std::uint64_t> cancelled = 0;      ///< told that the service went away
  std::atomic<std::uint64_t> failed = 0;         ///< any other error
  std::atomic<std::uint64_t> lost = 0;           ///< never heard of again; after stop() only
  std::atomic<std::int64_t> last_answer_us = 0;  ///< steady clock
  std::string trouble;                           ///< what ended it early; after stop() only

  /// Statistics as the service counts them; while it runs.
  [[nodiscard]] client::SessionInfo info() const { return session_.info(); }

 private:
  void run();

  client::Client client_;
  client::Session session_;
  client::Stream stream_;
  const std::chrono::nanoseconds period_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

/// Of std::chrono::steady_clock.
std::int64_t steady_us();

}  // namespace dofa::test

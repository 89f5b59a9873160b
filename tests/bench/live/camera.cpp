// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/live/camera.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>

namespace dofa::bench {
namespace {

constexpr std::uint32_t kSide = 224;

client::SessionHandlers noting(std::mutex& mutex, std::vector<std::string>& switches) {
  return {.subnet_changed = [&](const client::SubnetChange& change) {
    const std::lock_guard lock(mutex);
    switches.push_back(change.from + " -> " + change.to + ": " + change.reason);
  }};
}

}  // namespace

std::int64_t monotonic_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000LL + now.tv_nsec / 1000;
}

Camera::Camera(client::Client& client, const std::string& name, const std::string& family,
               const client::Contract& contract, std::int64_t origin_us)
    : name_(name),
      origin_us_(origin_us),
      budget_us_(static_cast<std::int64_t>(contract.latency_budget_us.value_or(0))),
      period_us_(static_cast<std::int64_t>(contract.period_us.value())),
      pixels_(std::size_t{kSide} * kSide * 3),
      session_(client.open_session(name, family, contract, noting(mutex_, switches_))) {
  std::uint32_t noise = 1;
  for (std::byte& pixel : pixels_)
    pixel = static_cast<std::byte>((noise = noise * 1664525U + 1013904223U) >> 24);
}

Camera::~Camera() {
  stop();
}

void Camera::start() {
  running_ = true;
  thread_ = std::thread([this] { run(); });
}

void Camera::stop() {
  running_ = false;
  if (thread_.joinable()) thread_.join();
  for (int i = 0; i < 1000 && under_way_ > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

void Camera::run() {
  const client::Frame frame{.pixels = pixels_, .width = kSide, .height = kSide};
  auto next = std::chrono::steady_clock::now();
  while (running_) {
    const std::int64_t submitted_us = monotonic_us();
    ++under_way_;
    try {
      session_.infer_async(frame, {.top_k = 1}, [this, submitted_us](const client::Outcome& outcome) {
        note(submitted_us, outcome);
        --under_way_;
      });
    } catch (const client::Error&) {
      note(submitted_us, {});
      --under_way_;
    }
    next += std::chrono::microseconds(period_us_);
    std::this_thread::sleep_until(next);
  }
}

void Camera::note(std::int64_t submitted_us, const client::Outcome& outcome) {
  CameraFrame frame{submitted_us - origin_us_, monotonic_us() - submitted_us, -1, false};
  if (outcome.answer) {
    frame.level = static_cast<int>(outcome.answer->level);
    frame.in_time = budget_us_ == 0 || frame.latency_us <= budget_us_;
  }
  const std::lock_guard lock(mutex_);
  records_.push_back(frame);
}

std::vector<CameraFrame> Camera::records() const {
  const std::lock_guard lock(mutex_);
  return records_;
}

std::vector<CameraFrame> Camera::latest(std::int64_t now, std::int64_t window_us) const {
  std::vector<CameraFrame> frames = records();
  std::erase_if(frames,
                [&](const CameraFrame& frame) { return frame.submitted_us < now - origin_us_ - window_us; });
  return frames;
}

std::vector<std::string> Camera::switches() const {
  const std::lock_guard lock(mutex_);
  return switches_;
}

}  // namespace dofa::bench

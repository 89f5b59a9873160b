// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor/monitor.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <system_error>

#include "daemon/monitor/sampler.hpp"

namespace dofa::monitor {

std::int64_t monotonic_now_us() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000 + time.tv_nsec / 1000;
}

Monitor::Monitor(Options options)
    : period_us_(std::max<std::int64_t>(options.cpu_period_us, 1000)),
      sampler_(std::make_unique<Sampler>(options)),
      published_(sampler_->snapshot()) {}

Monitor::~Monitor() {
  stop();
}

Result<void> Monitor::start() {
  if (thread_.joinable()) return Error{ErrorCode::kBusy, "the monitor runs already"};
  stopping_ = false;
  // The thread inherits the mask: signals are for the main thread to handle.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  Result<void> result;
  try {
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "dofa-monitor");
  } catch (const std::system_error& error) {
    result = Error{ErrorCode::kFailed, std::string("no thread for the monitor: ") + error.what()};
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return result;
}

void Monitor::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(stop_mutex_);
    stopping_ = true;
  }
  stop_changed_.notify_all();
  thread_.join();
}

void Monitor::run() {
  using Clock = std::chrono::steady_clock;
  const std::chrono::microseconds period(period_us_);
  auto next = Clock::now();
  std::unique_lock lock(stop_mutex_);
  while (!stopping_) {
    lock.unlock();
    sampler_->sample(monotonic_now_us());
    published_.store(sampler_->snapshot());
    next =
        std::max(next + period, Clock::now());  // ticks missed while the machine was busy are not made up for
    lock.lock();
    stop_changed_.wait_until(lock, next, [this] { return stopping_; });
  }
}

Snapshot Monitor::latest() const {
  Snapshot snapshot = published_.load();
  refresh_validity(snapshot, monotonic_now_us());
  return snapshot;
}

void Monitor::add_worker(int tid) {
  sampler_->add_worker(tid);
}
void Monitor::remove_worker(int tid) {
  sampler_->remove_worker(tid);
}
std::vector<Event> Monitor::drain_events() {
  return sampler_->drain_events();
}

}  // namespace dofa::monitor

// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/kernels/team.hpp"

#include <algorithm>

#include "daemon/engine/kernels/simd.hpp"

namespace dofa::engine::kernels {
namespace {
constexpr std::uint64_t kNextMask = 0xffff;
constexpr int kUnitsShift = 16;
constexpr int kRoundShift = 32;
/// Pauses before sleeping: longer than the gaps between the parts of one request, far shorter than a
/// scheduler's slice.
constexpr int kSpins = 2000;

std::uint32_t next_of(std::uint64_t ticket) {
  return static_cast<std::uint32_t>(ticket & kNextMask);
}
std::uint32_t units_of(std::uint64_t ticket) {
  return static_cast<std::uint32_t>(ticket >> kUnitsShift & kNextMask);
}

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");  // about as long as x86's pause; yield is a no-op on most cores
#endif
}

/// Waits until `value` is no longer `old`, spinning first.
template <class T>
T await_change(const std::atomic<T>& value, T old) {
  for (int i = 0; i < kSpins; ++i) {
    const T now = value.load(std::memory_order_acquire);
    if (now != old) return now;
    pause();
  }
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}
}  // namespace

Team::Team(int workers) {
  for (int worker = 1; worker < workers; ++worker) helpers_.emplace_back([this, worker] { help(worker); });
}

Team::~Team() {
  stop_.store(true, std::memory_order_relaxed);
  ticket_.fetch_add(std::uint64_t{1} << kRoundShift, std::memory_order_release);
  ticket_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void Team::run(int units, Job job) {
  job_ = job;
  finished_.store(0, std::memory_order_relaxed);
  const std::uint64_t round = (ticket_.load(std::memory_order_relaxed) >> kRoundShift) + 1;
  ticket_.store(round << kRoundShift | static_cast<std::uint64_t>(units) << kUnitsShift,
                std::memory_order_release);
  ticket_.notify_all();
  take_units(0);
  for (std::uint32_t done = finished_.load(std::memory_order_acquire);
       done != static_cast<std::uint32_t>(units);)
    done = await_change(finished_, done);
}

/// Works until no unit is free; false when none was.
bool Team::take_units(int worker) {
  bool any = false;
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (next_of(ticket) < units_of(ticket)) {
    if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel,
                                       std::memory_order_acquire))
      continue;
    const std::uint32_t units = units_of(ticket);
    job_.call(job_.context, static_cast<int>(next_of(ticket)), worker);
    if (finished_.fetch_add(1, std::memory_order_acq_rel) + 1 == units && worker != 0) finished_.notify_one();
    any = true;
    ticket = ticket_.load(std::memory_order_acquire);
  }
  return any;
}

void Team::help(int worker) {
  const FlushDenormals flush;
  std::uint64_t seen = ticket_.load(std::memory_order_acquire);
  while (!stop_.load(std::memory_order_relaxed)) {
    if (!take_units(worker)) seen = await_change(ticket_, seen);
  }
}

}  // namespace dofa::engine::kernels

// SPDX-License-Identifier: Apache-2.0
// More threads for one request. The caller always works itself and helpers take what they can get, so that a
// helper whose core is stolen costs nothing but its help: nobody waits for a helper to arrive, only for a
// unit that one has begun. Idle helpers and a waiting caller spin for some microseconds and then sleep in the
// kernel. A Team serves one caller at a time and is not thread-safe; its threads end with it.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace dofa::engine::kernels {

class Team {
 public:
  /// `workers` threads in all, the caller's included; at least 1.
  explicit Team(int workers);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  [[nodiscard]] int workers() const { return static_cast<int>(helpers_.size()) + 1; }

  /// Calls work(unit, worker) once for each unit in [0, units), units in any order and on any worker in [0,
  /// workers()); returns when all are done. At most 65535 units. `work` must not throw.
  template <class Work>
  void for_each(int units, const Work& work) {
    if (helpers_.empty() || units <= 1) {
      for (int unit = 0; unit < units; ++unit) work(unit, 0);
      return;
    }
    run(units, {[](const void* context, int unit, int worker) {
                  (*static_cast<const Work*>(context))(unit, worker);
                },
                &work});
  }

 private:
  struct Job {
    void (*call)(const void* context, int unit, int worker) = nullptr;
    const void* context = nullptr;
  };

  void run(int units, Job job);
  void help(int worker);
  bool take_units(int worker);

  /// The round's number, its count of units and the next free unit in one word: who takes a unit knows what
  /// it belongs to. job_ is only written while no unit is taken and unfinished.
  alignas(64) std::atomic<std::uint64_t> ticket_{0};
  alignas(64) std::atomic<std::uint32_t> finished_{0};
  Job job_;
  std::atomic<bool> stop_{false};
  std::vector<std::thread> helpers_;
};

}  // namespace dofa::engine::kernels

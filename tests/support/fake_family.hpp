// SPDX-License-Identifier: Apache-2.0
// A family that computes something a test can predict from the pixels, and that can be held still in the
// middle of a frame; and a GPU for it that can be slow, full or lost.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/engine/family.hpp"
#include "daemon/engine/preprocess.hpp"

namespace dofa::test {

/// Holds workers before they touch a frame's pixels. Thread-safe.
class Gate {
 public:
  void close();
  void open();
  void pass();             ///< a worker's call: blocks while closed
  void wait_for_worker();  ///< until one stands at the closed gate; throws std::runtime_error after 10 s

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int standing_ = 0;
};

/// The one GPU of a made-up machine, "cuda:0". Thread-safe: a test changes it while lanes use it.
struct FakeGpu {
  std::atomic<int> run_us = 0;     ///< of one frame at level 0; level 1 takes twice as long, each further
                                   ///< frame of a batch a tenth of it
  std::atomic<bool> lost = false;  ///< every call fails with kNotReady
  std::atomic<bool> full = false;  ///< no runner can be made: kResourceExhausted
  std::atomic<std::uint32_t> max_batch = 8;
  std::atomic<std::uint32_t> largest_batch = 0;  ///< that was run
  std::atomic<int> runners = 0;                  ///< that exist
  Gate gate;                                     ///< before a frame's pixels are touched
};

/// `classes` classes. Logits of a frame, after the usual resize to kSide x kSide with values in 0..1:
/// logit 0..2 = mean of red, green, blue times 255; the others 0. Two levels; level 1 adds 1000 to class 3.
class FakeFamily final : public engine::Family {
 public:
  static constexpr std::uint32_t kSide = 16;
  explicit FakeFamily(std::uint32_t classes = 10, const std::string& name = "fake");

  [[nodiscard]] const config::FamilyFile& description() const override { return description_; }
  [[nodiscard]] const std::vector<engine::LevelInfo>& levels() const override { return levels_; }
  [[nodiscard]] const std::vector<std::string>& labels() const override { return labels_; }
  [[nodiscard]] std::uint64_t resident_bytes() const override { return 1; }
  [[nodiscard]] Result<std::unique_ptr<engine::Runner>> make_runner(
      std::shared_ptr<const engine::Family> self) const override;
  [[nodiscard]] Result<std::unique_ptr<engine::Runner>> make_runner_on(
      std::shared_ptr<const engine::Family> self, const std::string& processor) const override;

  /// Set before it is loaded; null: it runs on the CPU alone.
  std::shared_ptr<FakeGpu> gpu;
  /// Of one frame on the CPU at level 0; level 1 takes twice as long.
  std::atomic<int> cpu_us = 0;
  /// The next frames on the CPU find no memory: at 2 one while it is prepared, at 1 one while it runs.
  mutable std::atomic<int> out_of_memory = 0;

  [[nodiscard]] Gate& gate() const { return gate_; }

 private:
  config::FamilyFile description_;
  std::vector<engine::LevelInfo> levels_;
  std::vector<std::string> labels_;
  mutable Gate gate_;
};

}  // namespace dofa::test

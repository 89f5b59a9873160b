// SPDX-License-Identifier: Apache-2.0
// A resident family and its runners: what `control` needs of the engine, and nothing of how it computes. A
// Family is immutable once loaded and shared between threads; a Runner belongs to one lane (one thread at a
// time) and keeps the Family alive. Every level stays resident: choosing another level between two frames
// costs a pointer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/config/family.hpp"
#include "daemon/engine/image.hpp"

namespace dofa::engine {

/// What is known of one level without running it.
struct LevelInfo {
  std::string name;
  std::uint32_t resolution = 0;              ///< side of the square input
  std::optional<config::Accuracy> accuracy;  ///< absent = nobody measured
  std::uint64_t macs = 0;                    ///< multiply-accumulates a frame; 0 = unknown
  std::string executor;                      ///< "libtorch", "reference", "kernels": what runs this level
};

/// Runs one family's levels for one lane. Not thread-safe. prepare() then run(); both take a level below
/// levels(). Errors of both: kInvalidArgument and kFailed are this frame's alone; kNotReady says that the
/// processor is gone (a lost GPU, a driver error), kResourceExhausted that its memory is: then the runner
/// answers nothing any more.
class Runner {
 public:
  virtual ~Runner() = default;
  Runner() = default;
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// Turns a frame into the input of `level` inside the runner. float32-nchw frames must already be 3 x r x
  /// r; one that holds NaN or infinity is refused (kInvalidArgument).
  virtual Result<void> prepare(std::uint32_t level, const ImageView& image) = 0;
  /// Runs `level` on what prepare() left. Logits, one a class, valid until the next call.
  virtual Result<std::span<const float>> run(std::uint32_t level) = 0;

  /// Frames that run_batch() takes at once; 1 = no batches.
  [[nodiscard]] virtual std::uint32_t max_batch() const { return 1; }
  /// prepare() for the frame in place `slot` of the next batch, below max_batch().
  virtual Result<void> prepare_in(std::uint32_t slot, std::uint32_t level, const ImageView& image) {
    if (slot == 0) return prepare(level, image);
    return Error{ErrorCode::kNotSupported, "this runner takes one frame at a time"};
  }
  /// Runs `level` on the first `count` places, 1..max_batch(). Logits, count x classes, valid until the next
  /// call.
  virtual Result<std::span<const float>> run_batch(std::uint32_t level, std::uint32_t count) {
    if (count == 1) return run(level);
    return Error{ErrorCode::kNotSupported, "this runner takes one frame at a time"};
  }
};

class Family {
 public:
  virtual ~Family() = default;
  Family() = default;
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;

  [[nodiscard]] virtual const config::FamilyFile& description() const = 0;
  [[nodiscard]] virtual const std::vector<LevelInfo>& levels() const = 0;
  [[nodiscard]] virtual const std::vector<std::string>& labels() const = 0;
  /// Bytes of weights and statistics kept resident for all levels together.
  [[nodiscard]] virtual std::uint64_t resident_bytes() const = 0;
  /// What an operator should hear about this family, a line each (a slow executor had to step in, memory is
  /// not locked): who loads it logs them once.
  [[nodiscard]] virtual std::vector<std::string> remarks() const { return {}; }
  /// A runner for one lane on the CPU, its buffers allocated and every level run once, so that the first
  /// frame finds everything warm. `self` is this family's own handle, kept by the runner.
  [[nodiscard]] virtual Result<std::unique_ptr<Runner>> make_runner(
      std::shared_ptr<const Family> self) const = 0;
  /// The same on another processor, "cuda:0". kNotSupported: this family or build cannot run there;
  /// kNotReady: the processor is lost now; kResourceExhausted: its memory is.
  [[nodiscard]] virtual Result<std::unique_ptr<Runner>> make_runner_on(std::shared_ptr<const Family> self,
                                                                       const std::string& processor) const {
    if (processor == "cpu") return make_runner(std::move(self));
    return Error{ErrorCode::kNotSupported, "this family cannot run on " + processor};
  }
};

enum class GpuPrecision : std::uint8_t {
  kHalf,   ///< activations and weights fp16, sums and the layers behind the global pool fp32
  kFloat,  ///< all fp32, without TF32
};

struct LoadOptions {
  bool gpus = true;  ///< false: keep nothing that only GPUs need
  GpuPrecision gpu_precision = GpuPrecision::kHalf;
};

/// Loads the family whose files lie in `directory` (an absolute path whose ownership and place the caller has
/// checked). Errors: kInvalidFamily with the file and what is wrong with it.
Result<std::shared_ptr<const Family>> load_family(const std::string& directory,
                                                  const config::FamilyFile& description,
                                                  const LoadOptions& options = {});

}  // namespace dofa::engine

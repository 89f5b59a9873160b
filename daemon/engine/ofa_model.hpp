// SPDX-License-Identifier: Apache-2.0
// An ofa-mobilenetv3 family's weights in memory, and the seam where the ways to run them plug in. A backend
// is one way: its shared state (packed weights, plans) is made once a family, its executors one a lane. The
// reference backend is always there; faster ones come before it in ofa_backends().
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/engine/subnet.hpp"

namespace dofa::engine {

struct OfaLevel {
  std::uint32_t resolution = 0;
  Subnet subnet;  ///< with its statistics
};

/// Immutable once made; shared between threads. A backend that repacks the weights need not keep it.
struct OfaModel {
  Supernet supernet;
  std::vector<OfaLevel> levels;
};

/// Runs the levels for one lane. Not thread-safe.
class OfaExecutor {
 public:
  virtual ~OfaExecutor() = default;
  OfaExecutor() = default;
  OfaExecutor(const OfaExecutor&) = delete;
  OfaExecutor& operator=(const OfaExecutor&) = delete;

  /// Where the level's input goes: 3 x resolution x resolution normalised floats.
  virtual std::span<float> input(std::uint32_t level) = 0;
  /// Runs the level on what input() holds. Logits, one a class, valid until the next call.
  virtual Result<std::span<const float>> run(std::uint32_t level) = 0;
};

/// Immutable and shared between lanes; outlives its executors.
class OfaBackend {
 public:
  virtual ~OfaBackend() = default;
  OfaBackend() = default;
  OfaBackend(const OfaBackend&) = delete;
  OfaBackend& operator=(const OfaBackend&) = delete;

  /// Bytes of weights and statistics it keeps resident for all levels together.
  [[nodiscard]] virtual std::uint64_t resident_bytes() const = 0;
  /// Keeps the weights in memory (mlock); false where the system refuses.
  [[nodiscard]] virtual bool lock_weights() const { return true; }
  [[nodiscard]] virtual Result<std::unique_ptr<OfaExecutor>> make_executor() const = 0;
};

struct OfaBackendEntry {
  std::string_view name;  ///< LevelInfo::executor
  /// kNotSupported: this machine or model is not for it, take the next.
  Result<std::shared_ptr<const OfaBackend>> (*make)(const std::shared_ptr<const OfaModel>& model);
};

/// All ways to run a model on the CPU, the preferred first; the last, the reference, supports everything.
std::span<const OfaBackendEntry> ofa_backends();

Result<std::shared_ptr<const OfaBackend>> make_reference_backend(
    const std::shared_ptr<const OfaModel>& model);

}  // namespace dofa::engine

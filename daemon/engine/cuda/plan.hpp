// SPDX-License-Identifier: Apache-2.0
// A model as a GPU runs it, worked out without one: every level as a list of kernels over shared buffers,
// weights laid out once for all levels (a level's 1x1 is a GEMM on a corner of the full matrix: same address,
// fewer rows and columns), what is a level's own (folded batch normalisation) beside them. Plain C++ and std
// only; a Plan is read-only once made.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/engine/cuda/arithmetic.hpp"
#include "daemon/engine/ofa_model.hpp"

namespace dofa::engine::cuda {

/// Where values lie between kernels. Activations (T, NHWC) first, then vectors (float). Blocks' inputs and
/// outputs take kEven and kOdd in turn.
enum class Place : std::uint8_t { kEven, kOdd, kExpanded, kFiltered, kMeans, kSqueezed, kFeatures, kLogits };
inline constexpr std::size_t kPlaces = 8;
inline constexpr std::size_t kFirstVector = 4;  ///< places from here on hold floats

/// Offsets into Plan::parameters().
struct NormStep {
  std::size_t scale = 0, bias = 0;
  Act act = Act::kNone;
};
/// The first rows and columns of a matrix [..][stride] at `offset`; of the weights, or where `exact` of the
/// parameters.
struct MatrixStep {
  std::size_t offset = 0;
  int outputs = 0, inputs = 0, stride = 0;
};

struct StemStep {
  std::size_t weights = 0;  ///< of the parameters
  NormStep norm;
  int channels = 0, side_in = 0, side_out = 0, stride = 1;
};
/// to = scaling * from * weights^T, not normalised yet. `scaling` is a power of two that keeps half from
/// overflowing; the normalisation that follows takes it back.
struct GemmStep {
  MatrixStep weights;
  Place from{}, to{};
  int pixels = 0;  ///< of one image
  float scaling = 1;
};
struct DepthwiseStep {
  std::size_t weights = 0;
  std::optional<NormStep> before;
  NormStep norm;
  Place from{};  ///< always to kFiltered
  int kernel = 3, channels = 0, weight_channels = 0, side_in = 0, side_out = 0, stride = 1;
};
struct PoolStep {
  std::optional<NormStep> before;
  Place from{};  ///< always to kMeans
  int channels = 0, pixels = 0;
};
struct LinearStep {
  MatrixStep weights;
  bool exact = false;  ///< float weights among the parameters: the head
  std::optional<std::size_t> bias;
  Act act = Act::kNone;
  Place from{}, to{};
};
/// Gates what lies in kFiltered by what lies in kSqueezed.
struct GateStep {
  MatrixStep weights;
  std::size_t bias = 0;
  int pixels = 0;
};
struct ProjectStep {
  NormStep norm;
  Place values{};
  std::optional<Place> shortcut;
  int channels = 0, pixels = 0;
};
using Step = std::variant<StemStep, GemmStep, DepthwiseStep, PoolStep, LinearStep, GateStep, ProjectStep>;

struct LevelPlan {
  std::uint32_t resolution = 0;
  std::vector<Step> steps;
};

class Plan {
 public:
  /// kNotSupported names the level and why it cannot run this way.
  static Result<Plan> make(const OfaModel& model, std::uint32_t max_batch);

  /// To be stored as the activations' type. Each matrix starts at a multiple of kAlign values.
  [[nodiscard]] const std::vector<float>& weights() const { return weights_; }
  /// Floats whatever the activations' type is.
  [[nodiscard]] const std::vector<float>& parameters() const { return parameters_; }
  [[nodiscard]] const std::vector<LevelPlan>& levels() const { return levels_; }
  [[nodiscard]] std::uint32_t classes() const { return classes_; }
  /// Most values that a place holds for one image of any level.
  [[nodiscard]] const std::array<std::size_t, kPlaces>& place_values() const { return places_; }
  [[nodiscard]] std::uint32_t max_resolution() const;
  /// Frees weights() and parameters(), once they are where they are used.
  void forget_values();

 private:
  friend class PlanBuilder;
  std::vector<float> weights_, parameters_;
  std::vector<LevelPlan> levels_;
  std::array<std::size_t, kPlaces> places_{};
  std::uint32_t classes_ = 0;
};

inline constexpr std::size_t kAlign =
    128;  ///< values: 256 bytes of half, what the GEMM library takes for granted

/// The largest power of two, at most 1, by which values of these moments stay far within half's range.
float gemm_scaling(const Moments& moments);

}  // namespace dofa::engine::cuda

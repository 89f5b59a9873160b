// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/cuda/plan.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>

namespace dofa::engine::cuda {
namespace {

/// What cannot run this way; thrown inside this file, an Error outside.
struct Refusal {
  std::string what;
};

Act act_of(Activation activation) {
  return activation == Activation::kRelu ? Act::kRelu : Act::kHardSwish;
}
int whole(std::size_t value) {
  return static_cast<int>(value);
}
int strided(int side, std::uint32_t stride) {
  return (side + static_cast<int>(stride) - 1) / static_cast<int>(stride);
}

/// A supernet block's weights, cut to what its most demanding user needs.
struct PackedBlock {
  std::size_t expand = 0, reduce = 0, excite = 0, project = 0, reduce_bias = 0, excite_bias = 0;
  std::array<std::size_t, 3> depthwise{};
  std::uint32_t mid = 0, squeezed = 0;
};

}  // namespace

class PlanBuilder {
 public:
  PlanBuilder(const OfaModel& model, std::uint32_t max_batch)
      : model_(model), net_(model.supernet), batch_(max_batch) {
    plan_.classes_ = net_.classes;
  }

  Plan build() {
    check_channels();
    pack();
    for (const OfaLevel& level : model_.levels) {
      try {
        add_level(level);
      } catch (const Refusal& refusal) {
        throw Refusal{"level " + std::to_string(plan_.levels_.size() - 1) + ": " + refusal.what};
      }
    }
    return std::move(plan_);
  }

 private:
  /// Threads take channel pairs, and the GEMM library wants rows of 16 bytes.
  void check_channels() const {
    const auto check = [](std::uint32_t channels) {
      if (channels == 0 || channels % 8 != 0) throw Refusal{"channel counts must be a multiple of 8"};
    };
    check(net_.stem_channels);
    check(net_.final_channels);
    check(net_.feature_channels);
    for (const SupernetBlock& block : net_.blocks) {
      check(block.in_channels);
      check(block.out_channels);
      check(block.max_mid_channels);
    }
  }

  static std::size_t append(std::vector<float>& to, std::span<const float> values) {
    to.resize((to.size() + kAlign - 1) / kAlign * kAlign);
    const std::size_t offset = to.size();
    to.insert(to.end(), values.begin(), values.end());
    return offset;
  }
  std::size_t add_weights(std::span<const float> values) { return append(plan_.weights_, values); }
  std::size_t add_parameters(std::span<const float> values) { return append(plan_.parameters_, values); }

  /// The first rows and columns of a row-major matrix.
  static std::vector<float> corner(const std::vector<float>& matrix, std::size_t stride, std::size_t rows,
                                   std::size_t columns) {
    std::vector<float> cut;
    for (std::size_t row = 0; row < rows; ++row)
      cut.insert(cut.end(), matrix.begin() + static_cast<std::ptrdiff_t>(row * stride),
                 matrix.begin() + static_cast<std::ptrdiff_t>(row * stride + columns));
    return cut;
  }

  /// [channels][cells] → [cells][channels], of the first `channels`: neighbouring threads read neighbours.
  static std::vector<float> transposed(const std::vector<float>& weights, std::size_t channels,
                                       std::size_t cells) {
    std::vector<float> turned(channels * cells);
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t cell = 0; cell < cells; ++cell)
        turned[cell * channels + c] = weights[c * cells + cell];
    return turned;
  }

  void pack() {
    stem_ = add_parameters(transposed(net_.stem_weight, net_.stem_channels, 27));
    for (std::size_t i = 0; i < net_.blocks.size(); ++i) {
      std::vector<const SubnetBlock*> users;
      for (const OfaLevel& level : model_.levels)
        for (const SubnetBlock& block : level.subnet.blocks)
          if (block.source == i) users.push_back(&block);
      packed_.push_back(pack_block(net_.blocks[i], users));
    }
    final_ = add_weights(net_.final_weight);
    feature_ = add_parameters(net_.feature_weight);
    classifier_ = add_parameters(net_.classifier_weight);
    classifier_bias_ = add_parameters(net_.classifier_bias);
  }

  PackedBlock pack_block(const SupernetBlock& source, const std::vector<const SubnetBlock*>& users) {
    PackedBlock packed;
    for (const SubnetBlock* user : users) {
      packed.mid = std::max(packed.mid, user->mid_channels);
      packed.squeezed = std::max(packed.squeezed, user->squeeze_channels);
    }
    if (packed.mid == 0) return packed;
    if (!source.expand_weight.empty())
      packed.expand =
          add_weights(corner(source.expand_weight, source.in_channels, packed.mid, source.in_channels));
    for (const std::uint32_t kernel : {3U, 5U, 7U}) {
      if (std::ranges::none_of(users, [&](const SubnetBlock* user) { return user->kernel == kernel; }))
        continue;
      packed.depthwise[(kernel - 3) / 2] =
          add_weights(transposed(source.depthwise_weight(kernel), packed.mid, std::size_t{kernel} * kernel));
    }
    const SqueezeExcite& se = source.squeeze_excite;
    if (packed.squeezed != 0) {
      packed.reduce =
          add_weights(corner(se.reduce_weight, source.max_mid_channels, packed.squeezed, packed.mid));
      packed.excite = add_weights(corner(se.expand_weight, se.channels, packed.mid, packed.squeezed));
      packed.reduce_bias = add_parameters(se.reduce_bias);
      packed.excite_bias = add_parameters(se.expand_bias);
    }
    packed.project =
        add_weights(corner(source.project_weight, source.max_mid_channels, source.out_channels, packed.mid));
    return packed;
  }

  NormStep fold(const BatchNorm& norm, const Moments& moments, Act act, float scaling = 1) {
    std::vector<float> scale, bias;
    for (std::size_t c = 0; c < moments.mean.size(); ++c) {
      // In double: the subtraction cancels where the mean is large.
      const double factor =
          norm.weight[c] / std::sqrt(static_cast<double>(moments.variance[c]) + kBatchNormEpsilon);
      scale.push_back(static_cast<float>(factor / scaling));
      bias.push_back(static_cast<float>(norm.bias[c] - moments.mean[c] * factor));
    }
    const std::size_t at = add_parameters(scale);
    return {at, add_parameters(bias), act};
  }

  void use(Place place, std::int64_t values) {
    if (values * batch_ > std::numeric_limits<std::int32_t>::max())
      throw Refusal{"its feature maps are too large"};
    auto& most = plan_.places_[static_cast<std::size_t>(place)];
    most = std::max(most, static_cast<std::size_t>(values));
  }
  static std::int64_t area(int side) { return static_cast<std::int64_t>(side) * side; }

  /// Its input lies in `from`; returns where its output does.
  Place add_block(const SubnetBlock& block, Place from, int& side) {
    const SupernetBlock& source = net_.blocks[block.source];
    const PackedBlock& packed = packed_[block.source];
    const int mid = whole(block.mid_channels), in = whole(source.in_channels),
              out = whole(source.out_channels);
    DepthwiseStep depthwise{packed.depthwise[(block.kernel - 3) / 2],
                            std::nullopt,
                            {},
                            from,
                            whole(block.kernel),
                            mid,
                            whole(packed.mid),
                            side,
                            strided(side, source.stride),
                            whole(source.stride)};
    if (!source.expand_weight.empty()) {
      const float scaling = gemm_scaling(block.expand);
      steps().emplace_back(
          GemmStep{{packed.expand, mid, in, in}, from, Place::kExpanded, side * side, scaling});
      use(Place::kExpanded, area(side) * mid);
      depthwise.before = fold(source.expand_norm, block.expand, act_of(source.activation), scaling);
      depthwise.from = Place::kExpanded;
    }
    depthwise.norm = fold(source.depthwise_norm, block.depthwise, act_of(source.activation));
    side = depthwise.side_out;
    use(Place::kFiltered, area(side) * mid);
    steps().emplace_back(depthwise);
    if (block.squeeze_channels != 0) add_squeeze_excite(block, packed, side);

    const Place to = from == Place::kEven ? Place::kOdd : Place::kEven;
    const float scaling = gemm_scaling(block.project);
    steps().emplace_back(
        GemmStep{{packed.project, out, mid, whole(packed.mid)}, Place::kFiltered, to, side * side, scaling});
    use(to, area(side) * out);
    const std::optional<Place> shortcut = source.has_shortcut ? std::optional(from) : std::nullopt;
    steps().emplace_back(ProjectStep{fold(source.project_norm, block.project, Act::kNone, scaling), to,
                                     shortcut, out, side * side});
    return to;
  }

  void add_squeeze_excite(const SubnetBlock& block, const PackedBlock& packed, int side) {
    const int mid = whole(block.mid_channels), squeezed = whole(block.squeeze_channels);
    use(Place::kMeans, mid);
    use(Place::kSqueezed, squeezed);
    steps().emplace_back(PoolStep{std::nullopt, Place::kFiltered, mid, side * side});
    steps().emplace_back(LinearStep{{packed.reduce, squeezed, mid, whole(packed.mid)},
                                    false,
                                    packed.reduce_bias,
                                    Act::kRelu,
                                    Place::kMeans,
                                    Place::kSqueezed});
    steps().emplace_back(
        GateStep{{packed.excite, mid, squeezed, whole(packed.squeezed)}, packed.excite_bias, side * side});
  }

  void add_level(const OfaLevel& level) {
    plan_.levels_.push_back({level.resolution, {}});
    const Subnet& subnet = level.subnet;
    const int resolution = whole(level.resolution), stem = whole(net_.stem_channels);
    int side = strided(resolution, net_.stem_stride);
    steps().emplace_back(StemStep{stem_, fold(net_.stem_norm, subnet.stem, Act::kHardSwish), stem, resolution,
                                  side, whole(net_.stem_stride)});
    Place at = Place::kEven;
    use(at, area(side) * stem);
    for (const SubnetBlock& block : subnet.blocks) at = add_block(block, at, side);

    const int last = whole(net_.blocks.back().out_channels), final_channels = whole(net_.final_channels);
    const int features = whole(net_.feature_channels), classes = whole(net_.classes);
    const float scaling = gemm_scaling(subnet.final_expand);
    steps().emplace_back(
        GemmStep{{final_, final_channels, last, last}, at, Place::kExpanded, side * side, scaling});
    use(Place::kExpanded, area(side) * final_channels);
    steps().emplace_back(PoolStep{fold(net_.final_norm, subnet.final_expand, Act::kHardSwish, scaling),
                                  Place::kExpanded, final_channels, side * side});
    use(Place::kMeans, final_channels);
    steps().emplace_back(LinearStep{{feature_, features, final_channels, final_channels},
                                    true,
                                    std::nullopt,
                                    Act::kHardSwish,
                                    Place::kMeans,
                                    Place::kFeatures});
    use(Place::kFeatures, features);
    steps().emplace_back(LinearStep{{classifier_, classes, features, features},
                                    true,
                                    classifier_bias_,
                                    Act::kNone,
                                    Place::kFeatures,
                                    Place::kLogits});
    use(Place::kLogits, classes);
  }

  std::vector<Step>& steps() { return plan_.levels_.back().steps; }

  const OfaModel& model_;
  const Supernet& net_;
  std::int64_t batch_;
  Plan plan_;
  std::vector<PackedBlock> packed_;
  std::size_t stem_ = 0, final_ = 0, feature_ = 0, classifier_ = 0, classifier_bias_ = 0;
};

Result<Plan> Plan::make(const OfaModel& model, std::uint32_t max_batch) {
  try {
    return PlanBuilder(model, max_batch).build();
  } catch (const Refusal& refusal) {
    return Error{ErrorCode::kNotSupported, refusal.what};
  }
}

std::uint32_t Plan::max_resolution() const {
  return std::ranges::max(levels_, {}, &LevelPlan::resolution).resolution;
}

void Plan::forget_values() {
  weights_ = {};
  parameters_ = {};
}

float gemm_scaling(const Moments& moments) {
  // Eight standard deviations are below 4096 then, and half reaches 65504; its smallest steps are 2^-24.
  constexpr double kLimit = 4096, kDeviations = 8;
  double reach = 0;
  for (std::size_t c = 0; c < moments.mean.size(); ++c)
    reach = std::max(reach, std::abs(static_cast<double>(moments.mean[c])) +
                                kDeviations * std::sqrt(static_cast<double>(moments.variance[c])));
  return reach <= kLimit ? 1.0F : static_cast<float>(std::exp2(-std::ceil(std::log2(reach / kLimit))));
}

}  // namespace dofa::engine::cuda

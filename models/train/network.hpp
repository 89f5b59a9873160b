// SPDX-License-Identifier: Apache-2.0
// A trainable Once-for-all MobileNetV3: the shared weights as leaves of autograd, and the forward pass of any
// sub-network on prefixes of them, every batch normalised with its own statistics. A Network is a handle to
// its tensors; replica() makes leaves of one's own on the same memory, so that several threads can run
// backward passes at once and each gathers its own gradients. Needs LibTorch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "daemon/engine/supernet.hpp"
#include "models/train/layers.hpp"
#include "models/train/space.hpp"

namespace dofa::train {

/// What an optimizer may do with a learnt tensor.
enum class ParameterKind : std::uint8_t {
  kMatrix,  ///< a dense convolution's weights with a batch norm behind: (out, in, k, k), only their direction
            ///< counts
  kWeight,  ///< other weights, which decay
  kOther,   ///< biases and batch normalisation, which do not
};

/// A learnt tensor under the name that published checkpoints give it.
struct Parameter {
  std::string name;
  at::Tensor value;
  ParameterKind kind = ParameterKind::kWeight;
};

class Network {
 public:
  /// Kaiming-normal weights (He et al., ICCV 2015, fan out), identity kernel transforms; the same for a seed.
  Network(const Space& space, std::uint64_t seed, at::Device device = at::kCPU);

  /// In a fixed order.
  [[nodiscard]] std::vector<Parameter> parameters() const;
  /// The same memory, other leaves.
  [[nodiscard]] Network replica() const;

  /// A network of this one sub-network: leaves of its own on the part of the memory that it uses, and no
  /// others. Its kernels are cut out of the larger ones as they are, without learnt transforms. It is the
  /// only one that the result can run.
  [[nodiscard]] Network alone(const config::OfaArchitecture& architecture) const;

  /// Called with the statistics of each normalised layer, in the order they run.
  using Observe = std::function<void(const BatchMoments&)>;
  /// Logits (N, classes), float32, of images (N, H, W, 3), normalised; in their scalar type inside.
  [[nodiscard]] at::Tensor forward(const config::OfaArchitecture& architecture, const at::Tensor& images,
                                   const Observe& observe = {}) const;

 private:
  struct Norm {
    at::Tensor weight, bias;
  };
  struct Block {
    std::int64_t in = 0, out = 0, max_mid = 0, stride = 1;
    NormActivation activation = NormActivation::kRelu;
    bool expands = true, has_squeeze = false;
    at::Tensor expand_weight, depthwise_weight, project_weight;
    std::vector<at::Tensor> transforms;  ///< from the largest kernel downwards
    Norm expand_norm, depthwise_norm, project_norm;
    at::Tensor reduce_weight, reduce_bias, excite_weight, excite_bias;
  };
  /// Where a forward pass is told what to observe.
  struct Pass {
    const Observe& observe;
    at::Tensor operator()(const at::Tensor& x, const Norm& norm, NormActivation activation) const;
  };

  /// Calls `visit(name, tensor, kind)` for each learnt tensor that is there, in a fixed order.
  template <class Self, class Visit>
  static void visit(Self& self, const Visit& visit);
  static void cut(Block& block, std::int64_t kernel, std::int64_t ratio);
  void make_block(std::int64_t in, std::int64_t out, std::int64_t stride, std::size_t stage, bool expands);
  at::Tensor kernel_of(const Block& block, std::int64_t kernel, std::int64_t mid) const;
  at::Tensor run_block(const Block& block, std::int64_t kernel, std::int64_t ratio, const at::Tensor& input,
                       const Pass& pass) const;

  Space space_;
  at::Tensor stem_weight_;
  Norm stem_norm_;
  std::vector<Block> blocks_;  ///< the fixed one, then max_depth for each stage
  at::Tensor final_weight_, feature_weight_, classifier_weight_, classifier_bias_;
  Norm final_norm_;
};

}  // namespace dofa::train

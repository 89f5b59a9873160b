// SPDX-License-Identifier: Apache-2.0
// Joins the supernet to the CPU kernels: packs its weights once, cut to what a family's levels use, and turns
// each level into a plan over them. The backend made of it is immutable and shared between lanes. Std only.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/engine/kernels/layers.hpp"
#include "daemon/engine/kernels/plan.hpp"
#include "daemon/engine/ofa_model.hpp"

namespace dofa::engine {

/// A model's weights packed for the kernels, and its levels as plans. Keeps nothing of the model.
class ElasticModel {
 public:
  /// `head`: how the layers behind the global pool are stored. Half precision costs about 3e-4 of the logits'
  /// range. kNotSupported names the level and layer that the kernels can't run.
  static Result<ElasticModel> make(const OfaModel& model,
                                   kernels::Precision head = kernels::Precision::kFloat);

  [[nodiscard]] const std::vector<kernels::Plan>& plans() const { return plans_; }
  /// Of an arena that serves every level.
  [[nodiscard]] const kernels::ArenaSizes& arena() const { return arena_; }
  [[nodiscard]] std::size_t bytes() const;
  /// Keeps the weights in memory (mlock); false where the system refuses.
  [[nodiscard]] bool lock() const { return weights_.lock(); }

 private:
  struct PackedBlock {
    kernels::MatrixWeights expand;
    std::array<kernels::DepthwiseWeights, 3> depthwise;  ///< kernel 3, 5, 7
    kernels::MatrixWeights reduce;
    kernels::MatrixWeights excite;
    kernels::MatrixWeights project;
  };

  void pack(const OfaModel& model, kernels::Precision head);
  void pack_block(const SupernetBlock& source, const std::vector<const SubnetBlock*>& users,
                  PackedBlock& packed);
  std::vector<kernels::Layer> layers(const Supernet& supernet, const Subnet& subnet) const;

  kernels::WeightStore weights_;
  kernels::ConvWeights stem_;
  std::vector<PackedBlock> blocks_;
  kernels::MatrixWeights final_expand_;
  kernels::MatrixWeights feature_mix_;
  kernels::MatrixWeights classifier_;
  std::vector<kernels::Plan> plans_;
  kernels::ArenaSizes arena_;
};

/// The kernels behind the backends' interface.
Result<std::shared_ptr<const OfaBackend>> make_elastic_backend(const std::shared_ptr<const OfaModel>& model);

}  // namespace dofa::engine

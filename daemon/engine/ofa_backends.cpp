// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "daemon/engine/elastic.hpp"
#include "daemon/engine/ofa_model.hpp"

namespace dofa::engine {

std::span<const OfaBackendEntry> ofa_backends() {
  static constexpr std::array<OfaBackendEntry, 2> kBackends{
      {{"kernels", make_elastic_backend}, {"reference", make_reference_backend}}};
  return kBackends;
}

}  // namespace dofa::engine

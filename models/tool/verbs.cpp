// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "models/tool/verb_list.hpp"

namespace dofa::tool {

std::span<const Verb> verbs() {
  static const std::array kVerbs{kTrainVerb,     kImportVerb, kShowVerb,          kAddSubnetVerb,
                                 kCalibrateVerb, kEvalVerb,   kCompareVerb,       kExportVerb,
                                 kProfileVerb,   kSearchVerb, kTrainPredictorVerb};
  return kVerbs;
}

}  // namespace dofa::tool

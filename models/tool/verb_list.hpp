// SPDX-License-Identifier: Apache-2.0
// Every verb is a file of its own that defines one of these; verbs.cpp puts them in the order of the help.
#pragma once

#include "models/tool/command.hpp"

namespace dofa::tool {

extern const Verb kImportVerb;
extern const Verb kShowVerb;
extern const Verb kAddSubnetVerb;
extern const Verb kCalibrateVerb;
extern const Verb kEvalVerb;
extern const Verb kCompareVerb;
extern const Verb kExportVerb;
extern const Verb kProfileVerb;
extern const Verb kSearchVerb;
extern const Verb kTrainPredictorVerb;
extern const Verb kTrainVerb;

}  // namespace dofa::tool

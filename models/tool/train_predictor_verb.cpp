// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdio>

#include "daemon/engine/checkpoint/checkpoint.hpp"
#include "models/tool/search_steps.hpp"
#include "models/tool/verb_list.hpp"
#include "proto/json_writer.hpp"

namespace dofa::tool {
namespace {

constexpr std::array<Option, 12> kOptions{{
    {"-o", "FILE", "the predictor (needed); evaluated sub-networks are kept in FILE.search"},
    {"--calibrate", "FOLDER", "pictures to take batch statistics from (needed)"},
    {"--calibrate-images", "N", "pictures of it to use (500)"},
    {"--data", "FOLDER", "labelled pictures to evaluate on (needed)"},
    {"--split", "NAME", "of a CIFAR-10 folder: train, fit, validation or test (test)"},
    {"--images", "N", "labelled pictures to use (2000; 0 = all)"},
    {"--dataset", "NAME", "name to record; otherwise the folder's"},
    {"--samples", "N", "random sub-networks to evaluate (100); more than before goes on from there"},
    {"--resolutions", "LIST", "sides of the input (the levels'; else 160,176,192,208,224)"},
    {"--stem-stride", "N", "of a checkpoint, 1 or 2 (2)"},
    {"--stage-strides", "LIST", "of a checkpoint, strides of the five stages (2,2,2,1,2)"},
    {"--json", "", "print samples, and on the fifth that was held out mean_error and kendall_tau"},
}};

Result<int> run(const Arguments& arguments) {
  const std::string path = arguments.required("-o");
  (void)arguments.required("--data");
  const auto samples = static_cast<std::size_t>(arguments.integer("--samples", 100, 10, 100'000));
  const auto source = open_source(arguments);
  if (!source) return source.error();
  const auto plan = open_evaluation(arguments, *source, path + ".search");
  if (!plan) return plan.error();
  const search::Space space = source->space(resolutions_of(arguments, *source, {}));
  const auto fitted = fit_on_samples(*source, *plan, space, samples);
  if (!fitted) return fitted.error();
  const search::Fit* fit = &fitted->fit;
  if (const auto written = checkpoint::write_checkpoint(path, fit->tensors); !written) return written.error();
  if (arguments.json()) {
    json::Writer writer;
    writer.begin_object().member("schema", 1).member("predictor", path).member("samples", samples);
    writer.member("held_out", fit->held_out).member("mean_error", fit->mean_error);
    std::puts(writer.member("kendall_tau", fit->kendall_tau).end_object().text().c_str());
  } else {
    std::printf(
        "%s: fitted on %zu sub-networks; on %zu held out: mean error %.2f points, Kendall's tau %.2f\n",
        path.c_str(), samples, fit->held_out, 100 * fit->mean_error, fit->kendall_tau);
  }
  return kExitOk;
}

}  // namespace

const Verb kTrainPredictorVerb{"train-predictor",
                               "FAMILY|CHECKPOINT --data FOLDER --calibrate FOLDER -o FILE",
                               "Fit an accuracy predictor to a supernet, for search.", kOptions, run};

}  // namespace dofa::tool

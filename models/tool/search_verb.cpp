// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <limits>

#include "models/tool/search_family.hpp"
#include "models/tool/search_report.hpp"
#include "models/tool/search_source.hpp"
#include "models/tool/search_steps.hpp"
#include "models/tool/verb_list.hpp"

namespace dofa::tool {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMeasuredPerLevel = 4;  // of the front, for each level that is wanted
constexpr std::size_t kMostMeasured = 40;
constexpr double kPublishedWidth = 1.2;  // of the network that OFA's predictor was trained for

constexpr std::array<Option, 24> kOptions{{
    {"--levels", "N", "sub-networks to end with (6)"},
    {"--processor", "NAME", "cpu or cuda:0 (cpu)"},
    {"--table", "FILE", "latency table: ours (measured now where FILE is not there), or a published folder"},
    {"--macs", "", "look for few multiply-accumulates instead of little time"},
    {"--predictor", "FILE", "accuracy predictor: OFA's, or one of train-predictor"},
    {"--latency-max", "MS", "longest latency, in milliseconds"},
    {"--accuracy-min", "FRACTION", "least top-1, 0 to 1, as the predictor sees it"},
    {"--calibrate", "FOLDER", "pictures to take batch statistics from"},
    {"--calibrate-images", "N", "pictures of it to use (500)"},
    {"--data", "FOLDER", "labelled pictures: evaluates, and fits a predictor where none is given"},
    {"--split", "NAME", "of a CIFAR-10 folder: train, fit, validation or test (test)"},
    {"--images", "N", "labelled pictures to use (2000; 0 = all)"},
    {"--dataset", "NAME", "name to record; otherwise the folder's"},
    {"--samples", "N", "sub-networks to fit a predictor on (100)"},
    {"--resolutions", "LIST", "sides of the input (the levels'; else what table and predictor know)"},
    {"--width", "W", "no checkpoint: OFA-MobileNetV3's shape at this width multiplier"},
    {"--stem-stride", "N", "of a checkpoint, 1 or 2 (2)"},
    {"--stage-strides", "LIST", "of a checkpoint, strides of the five stages (2,2,2,1,2)"},
    {"--seed", "N", "of the search (1)"},
    {"--rounds", "N", "times each sub-network is measured (30)"},
    {"--plot", "FILE", "draw the front as SVG"},
    {"-o", "FOLDER", "write the levels as a family; what was found on the way is kept in FOLDER.search"},
    {"--force", "", "replace a family that is there"},
    {"--json", "", "print subnets[].{name,r,ks,e,d,macs,table_us,predicted_top1,us_min,top1}, hypervolume"},
}};

search::Settings settings_of(const Arguments& arguments) {
  search::Settings settings;
  settings.seed =
      static_cast<std::uint64_t>(arguments.integer("--seed", 1, 0, std::numeric_limits<std::int64_t>::max()));
  if (arguments.has("--latency-max")) {
    if (arguments.has("--macs")) throw UsageError{"--latency-max and --macs exclude each other"};
    settings.limits.cost_max = 1000 * arguments.number("--latency-max", 0, 1e-3, 1e6);
  }
  if (arguments.has("--accuracy-min"))
    settings.limits.accuracy_min = arguments.number("--accuracy-min", 0, 0, 1);
  return settings;
}

/// Resolutions that both know; one that is unknown yet knows all.
std::vector<std::uint32_t> common(const CostModel& cost,
                                  const std::optional<search::AccuracyPredictor>& predictor) {
  std::vector<std::uint32_t> table = cost.table ? cost.table->resolutions() : std::vector<std::uint32_t>();
  if (!predictor) return table;
  std::vector<std::uint32_t> known = predictor->resolutions();
  if (!table.empty())
    std::erase_if(known, [&](std::uint32_t r) { return std::ranges::find(table, r) == table.end(); });
  return known;
}

/// The folder of -o, absolute; empty where it is not given.
Result<std::string> output_folder(const Arguments& arguments, const SearchSource& source) {
  const auto out = arguments.text("-o");
  if (!out) return std::string();
  const std::string folder = fs::absolute(*out + "/.").lexically_normal().parent_path().string();
  if (!source.supernet) throw UsageError{"a family is written with a checkpoint's weights; --width has none"};
  if (fs::exists(folder + "/family.yaml") && !arguments.has("--force"))
    return Error{ErrorCode::kAlreadyExists, folder + ": holds a family already; --force replaces it"};
  return folder;
}

/// --predictor; nothing where --data is to make one.
Result<std::optional<search::AccuracyPredictor>> given_predictor(const Arguments& arguments,
                                                                 const SearchSource& source) {
  std::optional<search::AccuracyPredictor> predictor;
  const auto file = arguments.text("--predictor");
  if (!file && !arguments.has("--data"))
    throw UsageError{"how accurate sub-networks are must come from --predictor or --data"};
  if (!file) return predictor;
  auto read = search::AccuracyPredictor::read(*file);
  if (!read) return read.error();
  if (read->encoding().least_trained != 0 && std::abs(source.outline.width - kPublishedWidth) > 0.01)
    std::fprintf(stderr,
                 "dofa-model: %s is OFA's predictor for width 1.2: for width %g trust its order, not its "
                 "figures; train-predictor makes one\n",
                 file->c_str(), source.outline.width);
  predictor.emplace(std::move(*read));
  return predictor;
}

/// Finds out what is true of the shortlist and of the family: accuracies where there are labelled pictures,
/// times where this machine is searched for.
Result<void> verify(const SearchSource& source, const std::optional<EvaluationPlan>& plan, Measurer* measurer,
                    std::size_t rounds, std::vector<Level>& shortlist, std::vector<Level>& family) {
  if (plan && plan->labelled) {
    std::vector<search::Candidate> candidates;
    for (const Level& level : shortlist) candidates.push_back(level.candidate);
    const auto accuracies = evaluate_candidates(source, *plan, candidates);
    if (!accuracies) return accuracies.error();
    for (std::size_t i = 0; i < shortlist.size(); ++i) shortlist[i].accuracy = (*accuracies)[i];
    if (!family.empty())
      if (const auto done = evaluate_family(source, *plan, family); !done) return done.error();
  } else {
    for (Level& level : family) level.accuracy.reset();  // predictions compare with predictions
  }
  if (measurer == nullptr) return {};
  std::vector<Level*> all;
  for (Level& level : shortlist) all.push_back(&level);
  for (Level& level : family) all.push_back(&level);
  return measure_levels(*measurer, all, rounds);
}

Result<int> run(const Arguments& arguments) {
  const auto levels = static_cast<std::size_t>(arguments.integer("--levels", 6, 1, 1000));
  const auto rounds = static_cast<std::size_t>(arguments.integer("--rounds", 30, 1, 100'000));
  const search::Settings settings = settings_of(arguments);
  const auto source = open_source(arguments);
  if (!source) return source.error();
  const auto folder = output_folder(arguments, *source);
  if (!folder) return folder.error();
  const std::string work = folder->empty() ? "" : *folder + ".search";
  auto predictor = given_predictor(arguments, *source);
  if (!predictor) return predictor.error();
  auto cost = open_cost(arguments, work);
  if (!cost) return cost.error();
  const search::Space space = source->space(resolutions_of(arguments, *source, common(*cost, *predictor)));

  std::optional<EvaluationPlan> plan;
  if (arguments.has("--calibrate") || arguments.has("--data")) {
    if (work.empty())
      throw UsageError{"--calibrate and --data need -o FOLDER, to keep what they take minutes for"};
    auto opened = open_evaluation(arguments, *source, work);
    if (!opened) return opened.error();
    plan = std::move(*opened);
  }
  std::optional<Measurer> measurer;
  if (cost->this_machine) {
    if (!source->supernet)
      return Error{ErrorCode::kNotFound,
                   cost->path + ": is not there or this machine's, which needs a checkpoint to measure with"};
    measurer.emplace(*source->supernet);
    if (const auto done = complete_cost(*cost, *measurer, space); !done) return done.error();
  }
  SearchReport report;
  report.cost = cost->table ? "latency" : "macs";
  report.table = cost->path;
  std::vector<search::Sample> evaluated;
  if (!*predictor) {
    const auto samples = static_cast<std::size_t>(arguments.integer("--samples", 100, 10, 100'000));
    auto fit = fit_on_samples(*source, *plan, space, samples);
    if (!fit) return fit.error();
    auto made = search::AccuracyPredictor::make(fit->fit.tensors);
    if (!made) return made.error();
    predictor->emplace(std::move(*made));
    report.fit = std::move(fit->fit);
    evaluated = std::move(fit->samples);
  }
  const auto lookup = cost->lookup(source->outline, space);
  if (!lookup) return lookup.error();
  auto outcome =
      search_front(source->outline, space, *lookup, **predictor, settings, cost->table.has_value());
  if (!outcome) return outcome.error();
  report.outcome = std::move(*outcome);

  std::vector<Level> shortlist = best_levels(
      report.outcome.front, std::max(levels, std::min(kMeasuredPerLevel * levels, kMostMeasured)));
  if (plan && plan->labelled) {
    const auto add = [&](std::vector<Level> more) {
      std::erase_if(more, [&](const Level& level) {
        return level.predicted_top1.value_or(0) < settings.limits.accuracy_min;
      });
      std::ranges::move(more, std::back_inserter(shortlist));
    };
    add(corner_levels(source->outline, space, *lookup, **predictor, shortlist));
    add(sampled_levels(source->outline, space, *lookup, **predictor, evaluated, shortlist));
  }
  auto family = family_levels(*source, *cost, space, **predictor);
  if (!family) return family.error();
  const auto verified = verify(*source, plan, measurer ? &*measurer : nullptr, rounds, shortlist, *family);
  if (!verified) return verified.error();
  std::erase_if(shortlist, [&](const Level& level) { return level.point().cost > settings.limits.cost_max; });
  if (shortlist.empty())
    return Error{ErrorCode::kUnsatisfiable,
                 "measured again, no sub-network keeps --latency-max: allow a little more"};
  report.levels = best_levels(shortlist, levels);
  if (report.levels.size() < levels)
    std::fprintf(stderr, "search: %zu of %zu levels: no other sub-network that was tried is Pareto-optimal\n",
                 report.levels.size(), levels);
  report.family = std::move(*family);
  if (!folder->empty()) {
    if (const auto written = write_levels(*source, plan, report.levels, *folder); !written)
      return written.error();
    report.written = *folder;
  }
  if (const auto plot = arguments.text("--plot"))
    if (const auto drawn = write_plot(report, *plot); !drawn) return drawn.error();
  std::fputs(arguments.json() ? (search_json(report) + "\n").c_str() : search_text(report).c_str(), stdout);
  return kExitOk;
}

}  // namespace

const Verb kSearchVerb{"search", "FAMILY|CHECKPOINT|--width W",
                       "Find the best sub-networks for this machine, or for another by its table.", kOptions,
                       run};

}  // namespace dofa::tool

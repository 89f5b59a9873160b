// SPDX-License-Identifier: Apache-2.0
#include "models/tool/search_steps.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "daemon/engine/thread.hpp"
#include "models/tool/build_table.hpp"
#include "models/tool/progress.hpp"

namespace dofa::tool {
namespace {

constexpr std::uint64_t kSampleSeed = 7;

/// The front as one line on a terminal: its ends and what lies between, a few times a second.
class FrontLine {
 public:
  explicit FrontLine(bool cost_is_time)
      : unit_(cost_is_time ? 1e3 : 1e6), name_(cost_is_time ? "ms" : "M MACs") {}
  FrontLine(const FrontLine&) = delete;
  FrontLine& operator=(const FrontLine&) = delete;
  ~FrontLine() {
    if (shown_) std::fputs("\r\033[K", stderr);
  }

  void show(const search::Stage& stage) {
    const auto now = std::chrono::steady_clock::now();
    if (!shown_ || now - last_ < std::chrono::milliseconds(200)) return;
    last_ = now;
    const std::vector<search::FrontMember> front = stage.archive.members();
    std::vector<search::Point> points;
    for (const search::FrontMember& member : front) points.push_back(member.point);
    std::string text;
    for (const std::size_t i : search::thin(points, 5)) {
      char part[64];
      std::snprintf(part, sizeof part, "  %.4g %s %.1f %%", points[i].cost / unit_, name_,
                    100 * points[i].accuracy);
      text += part;
    }
    std::fprintf(stderr, "\r\033[K%llu tried, front of %zu:%s",
                 static_cast<unsigned long long>(stage.evaluations), points.size(), text.c_str());
  }

 private:
  double unit_;
  const char* name_;
  bool shown_ = isatty(2) == 1;
  std::chrono::steady_clock::time_point last_;
};

std::string nearest_text(const search::Point& point, bool cost_is_time) {
  char text[96];
  std::snprintf(text, sizeof text, "%.4g %s at top-1 %.1f %%", point.cost / (cost_is_time ? 1e3 : 1e6),
                cost_is_time ? "ms" : "M MACs", 100 * point.accuracy);
  return text;
}

/// Levels of these genomes as table and predictor see them, without those that are known.
std::vector<Level> guessed_levels(const search::Outline& outline, const search::Space& space,
                                  const search::Lookup& lookup, const search::AccuracyPredictor& predictor,
                                  const std::vector<search::Genome>& genomes,
                                  const std::vector<Level>& known) {
  std::vector<double> top1(genomes.size());
  predictor.predict(space, genomes, top1);
  const search::Lookup macs = search::Lookup::macs(outline, space);
  std::vector<Level> levels;
  for (std::size_t i = 0; i < genomes.size(); ++i) {
    const search::Candidate candidate = search::candidate_of(space, genomes[i]);
    if (std::ranges::find(known, candidate, &Level::candidate) != known.end()) continue;
    levels.push_back({candidate, lookup.cost(genomes[i]), macs.cost(genomes[i]), top1[i], {}, {}});
  }
  return levels;
}

}  // namespace

search::Point Level::point() const {
  return {measured ? measured->least_us : cost, accuracy ? accuracy->top1 : predicted_top1.value_or(0)};
}

Result<search::Lookup> CostModel::lookup(const search::Outline& outline, const search::Space& space) const {
  if (!table) return search::Lookup::macs(outline, space);
  return search::latency_lookup(outline, space, *table);
}

Result<CostModel> open_cost(const Arguments& arguments, const std::string& work) {
  const std::string processor = arguments.text("--processor").value_or("cpu");
  if (processor != "cpu" && processor != "cuda:0") throw UsageError{"--processor takes cpu or cuda:0"};
  if (arguments.has("--macs") && arguments.has("--table"))
    throw UsageError{"--macs and --table exclude each other"};
  CostModel cost;
  if (arguments.has("--macs")) return cost;
  const auto named = arguments.text("--table");
  if (!named && work.empty())
    throw UsageError{"--table FILE is needed, or -o FOLDER to keep the measured one in"};
  cost.path = named ? *named : work + "/latency.yaml";
  if (!std::filesystem::exists(cost.path)) {
    if (processor != "cpu")
      return Error{ErrorCode::kNotSupported,
                   "layers are measured on the cpu only; give a --table for " + processor};
    cost.table = search::LatencyTable{machine_name(), processor, 1, {}, {}};
    cost.this_machine = true;
    return cost;
  }
  auto table = search::read_latency_table(cost.path);
  if (!table) return table.error();
  if (!table->processor.empty() && table->processor != processor)
    return Error{ErrorCode::kInvalidArgument, cost.path + ": is a table of " + table->processor};
  cost.this_machine = table->machine == machine_name() && processor == "cpu";
  cost.table = std::move(*table);
  return cost;
}

Result<void> complete_cost(CostModel& cost, Measurer& measurer, const search::Space& space) {
  if (const auto parent = std::filesystem::path(cost.path).parent_path(); !parent.empty())
    std::filesystem::create_directories(parent);
  auto built = build_table(measurer, space, cost.path, {});
  if (!built) return built.error();
  cost.table = std::move(built->table);
  return {};
}

Result<SampledFit> fit_on_samples(const SearchSource& source, const EvaluationPlan& plan,
                                  const search::Space& space, std::size_t samples) {
  const std::vector<search::Candidate> candidates = search::random_networks(space, samples, kSampleSeed);
  const auto accuracies = evaluate_candidates(source, plan, candidates);
  if (!accuracies) return accuracies.error();
  std::vector<search::Sample> known;
  for (std::size_t i = 0; i < candidates.size(); ++i) known.push_back({candidates[i], (*accuracies)[i].top1});
  auto fit = search::fit_predictor({space.kernels, space.ratios, space.resolutions, 0}, known);
  if (!fit) return fit.error();
  return SampledFit{std::move(*fit), std::move(known)};
}

Result<SearchOutcome> search_front(const search::Outline& outline, const search::Space& space,
                                   const search::Lookup& lookup, const search::AccuracyPredictor& predictor,
                                   const search::Settings& settings, bool cost_is_time) {
  if (const auto covered = predictor.covers(space); !covered) return covered.error();
  engine::prepare_inference_thread(true);  // a second thread makes these small products slower
  std::vector<double> top1;
  const search::Score score = [&](std::span<const search::Genome> genomes, std::span<search::Point> points) {
    top1.resize(genomes.size());
    predictor.predict(space, genomes, top1);
    for (std::size_t i = 0; i < genomes.size(); ++i) points[i] = {lookup.cost(genomes[i]), top1[i]};
  };
  const auto start = std::chrono::steady_clock::now();
  search::Found found;
  {
    FrontLine line(cost_is_time);
    found = search::evolve(space, score, settings, [&](const search::Stage& stage) {
      line.show(stage);
      return true;
    });
  }
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  if (found.front.empty())
    return Error{ErrorCode::kUnsatisfiable, "no sub-network keeps the limits; the nearest is " +
                                                nearest_text(found.nearest, cost_is_time)};
  SearchOutcome outcome{{}, found.evaluations, taken.count()};
  const search::Lookup macs = search::Lookup::macs(outline, space);
  for (const search::FrontMember& member : found.front)
    outcome.front.push_back({search::candidate_of(space, member.genome),
                             member.point.cost,
                             macs.cost(member.genome),
                             member.point.accuracy,
                             {},
                             {}});
  return outcome;
}

std::vector<Level> corner_levels(const search::Outline& outline, const search::Space& space,
                                 const search::Lookup& lookup, const search::AccuracyPredictor& predictor,
                                 const std::vector<Level>& known) {
  std::vector<search::Genome> genomes;
  const auto add = [&](std::size_t kernel, std::size_t ratio, std::size_t depth, std::size_t resolution) {
    search::Genome genome{};
    std::fill_n(genome.begin(), search::kBlocks, static_cast<std::uint8_t>(kernel));
    std::fill_n(genome.begin() + search::kFirstRatio, search::kBlocks, static_cast<std::uint8_t>(ratio));
    std::fill_n(genome.begin() + search::kFirstDepth, engine::kStages, static_cast<std::uint8_t>(depth));
    genome[search::kResolution] = static_cast<std::uint8_t>(resolution);
    genomes.push_back(search::canonical(space, genome));
  };
  for (std::size_t resolution = 0; resolution < space.resolutions.size(); ++resolution) {
    add(0, 0, 0, resolution);
    for (std::size_t depth = 0; depth < space.depths.size(); ++depth)
      add(space.kernels.size() - 1, space.ratios.size() - 1, depth, resolution);
  }
  return guessed_levels(outline, space, lookup, predictor, genomes, known);
}

std::vector<Level> sampled_levels(const search::Outline& outline, const search::Space& space,
                                  const search::Lookup& lookup, const search::AccuracyPredictor& predictor,
                                  const std::vector<search::Sample>& samples,
                                  const std::vector<Level>& known) {
  std::vector<search::Genome> genomes;
  std::vector<search::Point> points;
  for (const search::Sample& sample : samples) {
    const auto genome = search::genome_of(space, sample.candidate);
    if (!genome) continue;  // of another space
    genomes.push_back(*genome);
    points.push_back({lookup.cost(*genome), sample.top1});
  }
  std::vector<search::Genome> best;
  for (const std::size_t i : search::pareto(points)) best.push_back(genomes[i]);
  return guessed_levels(outline, space, lookup, predictor, best, known);
}

Result<void> measure_levels(Measurer& measurer, std::vector<Level*> levels, std::size_t rounds) {
  std::vector<search::Candidate> candidates;
  for (const Level* level : levels) candidates.push_back(level->candidate);
  Progress progress("measuring the front: round", rounds);
  const auto times = measurer.networks(candidates, rounds, [&] { progress.step(); });
  if (!times) return times.error();
  for (std::size_t i = 0; i < levels.size(); ++i) levels[i]->measured = (*times)[i];
  return {};
}

std::vector<Level> best_levels(const std::vector<Level>& levels, std::size_t count) {
  std::vector<search::Point> points;
  for (const Level& level : levels) points.push_back(level.point());
  std::vector<search::Point> front;
  const std::vector<std::size_t> optimal = search::pareto(points);
  for (const std::size_t i : optimal) front.push_back(points[i]);
  std::vector<Level> best;
  for (const std::size_t i : search::thin(front, count)) best.push_back(levels[optimal[i]]);
  return best;
}

}  // namespace dofa::tool

// SPDX-License-Identifier: Apache-2.0
#include "models/train/run.hpp"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "daemon/engine/checkpoint/checkpoint.hpp"
#include "daemon/engine/thread.hpp"
#include "models/train/validation.hpp"

namespace dofa::train {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kLogHeader =
    "epoch,images,learning_rate,loss,top1,student_loss,validation_largest,validation_smallest,seconds";

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string read_text(const fs::path& path) {
  const std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Result<void> write_text(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return Error{ErrorCode::kFailed, path.string() + ": cannot be written"};
  return {};
}

/// The first line in which two recipes differ.
std::string difference(const std::string& before, const std::string& now) {
  std::istringstream a(before);
  std::istringstream b(now);
  std::string line_a;
  std::string line_b;
  while (std::getline(a, line_a) && std::getline(b, line_b))
    if (line_a != line_b) return "'" + line_a + "' then, '" + line_b + "' now";
  return "they differ in length";
}

class Run {
 public:
  Run(const Recipe& recipe, const Images& images, const Images& validation, const RunOptions& options)
      : recipe_(recipe),
        images_(images),
        validation_(validation),
        options_(options),
        folder_(options.folder),
        trainer_(recipe, images, options.device) {}

  Result<RunResult> operator()() {
    if (const auto opened = open(); !opened) return opened.error();
    auto last_state = Clock::now();
    epoch_start_ = Clock::now();
    const std::uint64_t first_step = trainer_.step();
    const auto start = Clock::now();
    while (!trainer_.finished()) {
      const auto tally = trainer_.advance();
      if (!tally) return tally.error();
      report(first_step, seconds_since(start));
      const bool epoch_done = trainer_.step() % trainer_.steps_per_epoch() == 0;
      if (epoch_done) {
        if (const auto logged = end_epoch(); !logged) return logged.error();
      }
      const bool stopped = options_.stop != nullptr && options_.stop->load();
      if (epoch_done || stopped || seconds_since(last_state) > 60 * options_.checkpoint_minutes) {
        const auto saved = checkpoint::write_checkpoint((folder_ / "state.pt").string(), trainer_.state());
        if (!saved) return saved.error();
        last_state = Clock::now();
      }
      if (stopped && !trainer_.finished()) return RunResult{};
    }
    return RunResult{true, trainer_.averaged_weights()};
  }

 private:
  Result<void> open() {
    std::error_code fault;
    fs::create_directories(folder_, fault);
    const fs::path recipe_file = folder_ / "recipe.txt";
    const std::string text = to_text(recipe_);
    if (!options_.resume) {
      if (fs::exists(folder_ / "state.pt"))
        return Error{ErrorCode::kAlreadyExists,
                     folder_.string() + ": holds a run already; --resume goes on with it"};
      if (const auto written = write_text(recipe_file, text); !written) return written.error();
      return write_text(folder_ / "log.csv", std::string(kLogHeader) + "\n");
    }
    if (!fs::exists(folder_ / "state.pt"))
      return Error{ErrorCode::kNotFound, folder_.string() + ": holds no run to resume"};
    if (const std::string before = read_text(recipe_file); before != text)
      return Error{ErrorCode::kInvalidArgument,
                   folder_.string() + ": was started with another recipe: " + difference(before, text)};
    const auto checkpoint = checkpoint::read_checkpoint((folder_ / "state.pt").string());
    if (!checkpoint) return checkpoint.error();
    const auto tensors = engine::canonical_tensors(*checkpoint);
    if (!tensors) return tensors.error();
    if (const auto set = trainer_.set_state(*tensors); !set) return set.error();
    return drop_later_lines();
  }

  /// A crash between the log and the state leaves a line of an epoch that is now trained again.
  Result<void> drop_later_lines() {
    const std::uint64_t epochs_done = trainer_.step() / trainer_.steps_per_epoch();
    std::istringstream log(read_text(folder_ / "log.csv"));
    std::string line;
    std::string kept;
    for (std::uint64_t i = 0; i <= epochs_done && std::getline(log, line); ++i) kept += line + "\n";
    return write_text(folder_ / "log.csv", kept);
  }

  Result<void> end_epoch() {
    const std::uint64_t epoch = trainer_.step() / trainer_.steps_per_epoch();
    const Tally& tally = trainer_.epoch_tally();
    char line[256];
    int length = std::snprintf(
        line, sizeof line, "%llu,%.0f,%.6f,%.4f,%.4f,%.4f,", static_cast<unsigned long long>(epoch),
        tally.images, learning_rate(recipe_, trainer_.steps_per_epoch(), trainer_.step() - 1),
        tally.loss / tally.images, tally.correct / tally.images, tally.student_loss / tally.images);
    std::string text(line, static_cast<std::size_t>(length));
    if (validation_.size() > 0 && (epoch % options_.validate_every == 0 || trainer_.finished())) {
      const Space& space = recipe_.space;
      std::vector<Candidate> candidates{{largest(space), space.resolutions.back()},
                                        {smallest(space), space.resolutions.front()}};
      if (recipe_.alone) candidates = {*recipe_.alone};
      const auto top1 = validate(trainer_.averaged_network(), trainer_.averaged_weights(), candidates,
                                 recipe_, images_, options_.calibration_images, validation_, options_.device);
      if (!top1) return top1.error();
      for (std::size_t i = 0; i < candidates.size(); ++i) {
        length = std::snprintf(line, sizeof line, "%s%.4f", i == 0 ? "" : ",", (*top1)[i]);
        text.append(line, static_cast<std::size_t>(length));
      }
      if (recipe_.alone) text += ",";
    } else {
      text += ",";
    }
    length = std::snprintf(line, sizeof line, ",%.0f", seconds_since(epoch_start_));
    text.append(line, static_cast<std::size_t>(length));
    epoch_start_ = Clock::now();
    std::ofstream log(folder_ / "log.csv", std::ios::app);
    log << text << "\n";
    log.close();
    if (!log) return Error{ErrorCode::kFailed, (folder_ / "log.csv").string() + ": cannot be written"};
    options_.log_line(text);
    return {};
  }

  void report(std::uint64_t first_step, double seconds) const {
    RunProgress progress;
    progress.steps = trainer_.steps_per_epoch();
    progress.epoch = (trainer_.step() - 1) / progress.steps + 1;
    progress.epochs = recipe_.epochs;
    progress.step = (trainer_.step() - 1) % progress.steps + 1;
    progress.tally = trainer_.epoch_tally();
    const auto done = static_cast<double>(trainer_.step() - first_step);
    progress.images_per_second = done * recipe_.batch / seconds;
    const double left = static_cast<double>(recipe_.epochs * progress.steps - trainer_.step());
    progress.seconds_left = left * seconds / done;
    options_.watch(progress);
  }

  const Recipe& recipe_;
  const Images& images_;
  const Images& validation_;
  const RunOptions& options_;
  fs::path folder_;
  Trainer trainer_;
  Clock::time_point epoch_start_;
};

}  // namespace

Result<RunResult> run(const Recipe& recipe, const Images& images, const Images& validation,
                      const RunOptions& options) {
  if (const auto fits = check(recipe); !fits) return fits.error();
  if (images.size() < recipe.batch)
    return Error{ErrorCode::kInvalidArgument, "there are fewer images than a batch takes"};
  // Slices are the parallelism: a second thread inside a layer waits for whichever core is busy.
  engine::prepare_inference_thread(true);
  return Run(recipe, images, validation, options)();
}

}  // namespace dofa::train

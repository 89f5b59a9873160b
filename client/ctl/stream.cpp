// SPDX-License-Identifier: Apache-2.0
// stream: a folder of images at a camera's pace through a frame stream. Images are decoded before the first
// frame, so that decoding does not disturb the pace; a line a second says how it goes.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <limits>

#include "client/ctl/contract_options.hpp"
#include "client/ctl/image.hpp"
#include "client/ctl/present.hpp"
#include "client/ctl/verbs.hpp"

namespace dofa::ctl {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t kMostBytes = std::size_t{1} << 30;  // of decoded images held
constexpr auto kPatience = 5s;                            // for the last answers

std::vector<Image> read_folder(const fs::path& folder) {
  if (!fs::is_directory(folder)) throw std::runtime_error(folder.string() + ": is no folder of images");
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  std::vector<Image> images;
  std::size_t bytes = 0;
  for (const auto& file : files) {
    try {
      images.push_back(read_image(file));
    } catch (const client::Error&) {
      throw;
    } catch (const std::runtime_error& error) {
      complain(file.string() + ": " + error.what());
      continue;
    }
    bytes += images.back().pixels.size();
    if (bytes > kMostBytes) throw std::runtime_error(folder.string() + ": its images take more than 1 GiB");
  }
  if (images.empty()) throw std::runtime_error(folder.string() + ": has no image that can be decoded");
  return images;
}

/// What happened in a while.
struct Tally {
  std::uint64_t submitted = 0;
  std::uint64_t given_up = 0;  ///< the ring was full
  std::uint64_t answered = 0;
  std::uint64_t in_time = 0;
  std::uint64_t latency_us = 0;  ///< sum over the answered
  std::uint32_t level = 0;       ///< of the last
  std::string last_error = {};

  void count(const client::StreamResult& result) {
    if (result.error) {
      last_error = result.error->what();
      return;
    }
    ++answered;
    in_time += result.late ? 0 : 1;
    latency_us += result.queue_us + result.service_us;
    level = result.level;
  }
  [[nodiscard]] std::uint64_t mean_latency_us() const { return answered == 0 ? 0 : latency_us / answered; }
  /// Of the frames answered and given up: those still on their way are not judged.
  [[nodiscard]] double attainment(std::uint64_t failed) const {
    return static_cast<double>(in_time) / static_cast<double>(answered + given_up + failed);
  }
};

class Report {
 public:
  explicit Report(bool json) : json_(json) {}

  void count(const client::StreamResult& result) {
    failed_ += result.error ? 1 : 0;
    total_failed_ += result.error ? 1 : 0;
    now_.count(result);
    total_.count(result);
  }
  void count_submitted() {
    ++now_.submitted;
    ++total_.submitted;
  }
  void count_given_up() {
    ++now_.given_up;
    ++total_.given_up;
  }
  void line() {
    const auto passed = std::chrono::duration<double>(Clock::now() - since_).count();
    print_tally("second", now_, failed_, passed);
    now_ = {};
    failed_ = 0;
    since_ = Clock::now();
  }
  void summary() const {
    print_tally("total", total_, total_failed_, std::chrono::duration<double>(Clock::now() - start_).count());
  }
  /// Frames on their way.
  [[nodiscard]] std::uint64_t waiting() const { return total_.submitted - total_.answered - total_failed_; }
  [[nodiscard]] bool all_answered() const { return total_failed_ == 0; }

 private:
  void print_tally(const char* span, const Tally& tally, std::uint64_t failed, double seconds) const {
    const double rate = static_cast<double>(tally.answered) / seconds;
    if (json_) {
      json::Writer writer;
      writer.begin_object()
          .member("schema", 1)
          .member("span", span)
          .member("seconds", seconds)
          .member("fps", rate)
          .member("submitted", tally.submitted)
          .member("answered", tally.answered)
          .member("failed", failed)
          .member("given_up", tally.given_up)
          .member("attainment", tally.attainment(failed))
          .member("level", tally.level)
          .member("latency_us_mean", tally.mean_latency_us());
      if (failed > 0) writer.member("error", tally.last_error);
      print(writer.end_object());
      return;
    }
    print(printable(std::string(span) + ": " + fixed(rate, 1) + " frames/s, level " +
                    std::to_string(tally.level) + ", " + milliseconds(tally.mean_latency_us()) + ", " +
                    percent(tally.attainment(failed)) + " in time, " + std::to_string(tally.given_up) +
                    " given up, " + std::to_string(failed) + " failed" +
                    (failed > 0 ? ": " + tally.last_error : "")) +
          "\n");
  }

  bool json_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point since_ = start_;
  Tally now_;
  Tally total_;
  std::uint64_t failed_ = 0;
  std::uint64_t total_failed_ = 0;
};

void send(client::Stream& stream, const Image& image, Report& report) {
  auto slot = stream.try_acquire();
  if (!slot) {
    stream.count_given_up();
    report.count_given_up();
    return;
  }
  std::memcpy(slot->pixels().data(), image.pixels.data(), image.pixels.size());
  stream.submit(std::move(*slot), {.shape = client::Submission::Shape{image.width, image.height}});
  report.count_submitted();
}

}  // namespace

int run_stream(const Context& context) {
  const double fps = context.line.number("--fps", 0.01, 1000).value_or(30);
  const bool loop = context.line.has("--loop");
  const auto wanted = context.line.integer("--frames", 1, std::numeric_limits<std::uint64_t>::max());
  auto contract = contract_of(context.line);
  const auto period = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / fps));
  const auto period_us = static_cast<std::uint64_t>(1e6 / fps);
  if (!contract.period_us && period_us <= 60'000'000) contract.period_us = period_us;
  const auto images = read_folder(context.argument(0));
  const auto frames = loop ? wanted.value_or(std::numeric_limits<std::uint64_t>::max())
                           : std::min<std::uint64_t>(wanted.value_or(images.size()), images.size());

  auto client = context.connect();
  auto session = client.open_session("dofactl", family_of(client, context.line).name, contract);
  // A slot has room for so many bytes, whatever their shape.
  const auto& largest =
      *std::ranges::max_element(images, {}, [](const Image& image) { return image.pixels.size(); });
  auto stream = session.open_stream({.width = largest.width, .height = largest.height, .top_k = 1});

  Report report(context.json);
  auto next = Clock::now();
  auto next_line = next + 1s;
  for (std::uint64_t frame = 0; frame < frames; ++frame) {
    send(stream, images[frame % images.size()], report);
    next += period;
    while (Clock::now() < next) {
      const auto left = std::chrono::duration_cast<std::chrono::microseconds>(next - Clock::now());
      if (const auto result = stream.wait(left)) report.count(*result);
    }
    if (Clock::now() < next_line) continue;
    report.line();
    next_line += 1s;
  }
  while (report.waiting() > 0) {
    const auto result = stream.wait(kPatience);
    if (!result) throw client::Error(client::ErrorCode::kTimedOut, "the last frames are not answered");
    report.count(*result);
  }
  report.summary();
  return report.all_answered() ? kExitOk : kExitFailed;
}

}  // namespace dofa::ctl

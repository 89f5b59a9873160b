// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/streaming.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <limits>

#include "client/ctl/contract_options.hpp"
#include "client/ctl/live_line.hpp"
#include "client/ctl/present.hpp"

namespace dofa::ctl {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kPatience = 5s;  // for the last answers
constexpr double kUsualRate = 30;
constexpr std::uint64_t kLongestPeriodUs = 60'000'000;  // of a contract

/// What happened in a while.
struct Tally {
  std::uint64_t submitted = 0;
  std::uint64_t given_up = 0;  ///< the ring was full
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;
  std::uint64_t in_time = 0;
  std::uint64_t latency_us = 0;  ///< sum over the answered
  std::uint32_t level = 0;       ///< of the last
  std::string last_error = {};

  void count(const client::StreamResult& result) {
    if (result.error) {
      ++failed;
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
  [[nodiscard]] double attainment() const {
    return static_cast<double>(in_time) / static_cast<double>(answered + given_up + failed);
  }
};

class Report {
 public:
  /// `away`: whether the service is; outlives the report.
  Report(bool json, const std::atomic<bool>& away) : json_(json), away_(away) {}

  void count(const client::StreamResult& result) {
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
    show("second", now_, since_);
    now_ = {};
    since_ = Clock::now();
  }
  void summary() {
    live_.end();
    show("total", total_, start_);
    live_.end();
  }
  /// Frames on their way.
  [[nodiscard]] std::uint64_t waiting() const { return total_.submitted - total_.answered - total_.failed; }
  [[nodiscard]] bool all_answered() const { return total_.failed == 0; }

 private:
  void show(const char* span, const Tally& tally, Clock::time_point since) {
    const auto seconds = std::chrono::duration<double>(Clock::now() - since).count();
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
          .member("failed", tally.failed)
          .member("given_up", tally.given_up)
          .member("attainment", tally.attainment())
          .member("level", tally.level)
          .member("latency_us_mean", tally.mean_latency_us())
          .member("away", away_.load());
      if (tally.failed > 0) writer.member("error", tally.last_error);
      print(writer.end_object());
      return;
    }
    live_.show(std::string(span) + ": " + fixed(rate, 1) + " frames/s, level " + std::to_string(tally.level) +
               ", " + milliseconds(tally.mean_latency_us()) + ", " + percent(tally.attainment()) +
               " in time, " + std::to_string(tally.given_up) + " given up, " + std::to_string(tally.failed) +
               " failed" + (tally.failed > 0 ? ": " + tally.last_error : "") +
               (away_ ? "; dofad is away" : ""));
  }

  bool json_;
  const std::atomic<bool>& away_;
  LiveLine live_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point since_ = start_;
  Tally now_;
  Tally total_;
};

void send(client::Stream& stream, FrameSource& source, Report& report) {
  auto slot = stream.try_acquire();
  if (!slot) {
    stream.count_given_up();
    report.count_given_up();
    return;
  }
  const auto shape = source.draw(slot->pixels());
  stream.submit(std::move(*slot), {.shape = shape});
  report.count_submitted();
}

/// A slot has room for the bytes of the largest frame that the service takes, whatever their shape.
client::Stream open_for(client::Session& session, FrameSource& source) {
  for (;;) {
    const auto largest = source.largest();
    try {
      return session.open_stream(
          {.width = largest.width, .height = largest.height, .format = largest.format, .top_k = 1});
    } catch (const client::Error& error) {
      const std::string_view why = error.what();
      const bool too_large = why.starts_with("limits.frame_bytes") || why.starts_with("limits.ring_bytes");
      if (!too_large || !source.drop_largest(error.what())) throw;
    }
  }
}

/// Takes results until `next`, at least those that are there.
void take_until(client::Stream& stream, Clock::time_point next, Report& report) {
  while (const auto result = stream.try_take()) report.count(*result);
  for (auto now = Clock::now(); now < next; now = Clock::now()) {
    const auto left = std::chrono::duration_cast<std::chrono::microseconds>(next - now);
    if (const auto result = stream.wait(left)) report.count(*result);
  }
}

struct Pace {
  std::uint64_t frames;  ///< in all
  Clock::duration period;
  bool paced;  ///< by us, not by the source
};

void send_all(client::Stream& stream, FrameSource& source, const Ending& ending, const Pace& pace,
              Report& report) {
  auto next = Clock::now();
  auto next_line = next + 1s;
  for (std::uint64_t frame = 0; frame < pace.frames && source.advance(); ++frame) {
    send(stream, source, report);
    // One who was held up goes on at the same pace: frames that catch up would only find the ring full.
    next = std::max(next + pace.period, Clock::now());
    take_until(stream, pace.paced ? next : Clock::now(), report);
    if (ending.wait(0)) break;
    if (Clock::now() < next_line) continue;
    report.line();
    while (next_line <= Clock::now()) next_line += 1s;
  }
  while (report.waiting() > 0) {
    const auto result = stream.wait(kPatience);
    if (!result) throw client::Error(client::ErrorCode::kTimedOut, "the last frames are not answered");
    report.count(*result);
  }
}

/// What was still said of frames before the stream ended.
void take_rest(client::Stream& stream, Report& report) {
  try {
    while (const auto result = stream.try_take()) report.count(*result);
  } catch (const client::Error&) {
    // Nothing is left.
  }
}

}  // namespace

std::optional<double> rate_option(const CommandLine& line) {
  return line.number("--fps", 0.01, 1000);
}

int stream_frames(const Context& context, FrameSource& source, const Ending& ending) {
  const auto stated = rate_option(context.line);
  const auto of_source = source.rate();
  const double rate = stated ? *stated : of_source.value_or(kUsualRate);
  const auto frames = context.line.integer("--frames", 1, std::numeric_limits<std::uint64_t>::max())
                          .value_or(std::numeric_limits<std::uint64_t>::max());
  auto contract = contract_of(context.line);
  const auto period = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / rate));
  const auto period_us = static_cast<std::uint64_t>(1e6 / rate);
  // A camera that does not state its rate leaves it to the service to see.
  const bool paced = !source.live();
  if (!contract.period_us && period_us <= kLongestPeriodUs && (paced || stated || of_source))
    contract.period_us = period_us;

  std::atomic<bool> away = false;
  auto client = context.connect();
  auto session =
      client.open_session("dofactl", family_of(client, context.line).name, contract,
                          {.lost = [&away] { away = true; }, .reopened = [&away] { away = false; }});
  auto stream = open_for(session, source);

  Report report(context.json, away);
  std::exception_ptr failure;
  try {
    send_all(stream, source, ending, {.frames = frames, .period = period, .paced = paced}, report);
  } catch (const OutputClosed&) {
    throw;
  } catch (...) {
    failure = std::current_exception();
    take_rest(stream, report);
  }
  report.summary();
  if (failure) std::rethrow_exception(failure);
  return report.all_answered() ? kExitOk : kExitFailed;
}

}  // namespace dofa::ctl

// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/load.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <set>
#include <unordered_map>

namespace dofa::ctl {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kPatience = 5s;  // for the last answers

double microseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

/// Grey noise that is the same each time; halves where the format is of floats, which must be numbers.
void draw(std::span<std::byte> pixels, client::PixelFormat format) {
  if (format == client::PixelFormat::kFloat32Nchw) {
    const float half = 0.5F;
    for (std::size_t at = 0; at + sizeof half <= pixels.size(); at += sizeof half)
      std::memcpy(pixels.data() + at, &half, sizeof half);
    return;
  }
  std::uint32_t state = 1;
  for (auto& byte : pixels) {
    state = state * 1'664'525 + 1'013'904'223;  // Numerical Recipes' generator
    byte = static_cast<std::byte>(state >> 24);
  }
}

}  // namespace

void LoadCount::add(const LoadCount& other) {
  submitted += other.submitted;
  answered += other.answered;
  late += other.late;
  failed += other.failed;
  given_up += other.given_up;
  lost += other.lost;
  levels += other.levels;
  latency_us.insert(latency_us.end(), other.latency_us.begin(), other.latency_us.end());
  service_us.insert(service_us.end(), other.service_us.begin(), other.service_us.end());
  if (!other.last_error.empty()) last_error = other.last_error;
}

double LoadCount::attainment() const {
  return static_cast<double>(answered - late) / static_cast<double>(submitted + given_up);
}

double LoadCount::level() const {
  return static_cast<double>(levels) / static_cast<double>(answered);
}

std::optional<double> quantile(std::vector<double> values, double share) {
  if (values.empty()) return std::nullopt;
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

std::optional<client::PixelFormat> parse_format(const std::string& text) {
  using client::PixelFormat;
  for (const auto& [name, format] :
       {std::pair{"rgb8", PixelFormat::kRgb8}, std::pair{"bgr8", PixelFormat::kBgr8},
        std::pair{"gray8", PixelFormat::kGray8}, std::pair{"nv12", PixelFormat::kNv12},
        std::pair{"yuyv", PixelFormat::kYuyv}, std::pair{"float32-nchw", PixelFormat::kFloat32Nchw}}) {
    if (text == name) return format;
  }
  return std::nullopt;
}

/// The run's own memory.
struct Load::Round {
  LoadCount count = {};
  std::unordered_map<std::uint64_t, Clock::time_point> published = {};
  std::set<const std::byte*> drawn = {};

  void take(const client::StreamResult& result) {
    const auto found = published.find(result.sequence);
    if (found == published.end()) return;  // not ours: cannot be
    const double latency = microseconds(Clock::now() - found->second);
    published.erase(found);
    if (result.error) {
      ++count.failed;
      count.last_error = result.error->what();
      return;
    }
    ++count.answered;
    count.late += result.late ? 1 : 0;
    count.levels += result.level;
    count.latency_us.push_back(latency);
    count.service_us.push_back(static_cast<double>(result.queue_us + result.service_us));
  }
};

Load::Load(const LoadPlan& plan)
    : plan_(plan),
      client_(client::Client::connect(plan.connect)),
      session_(client_.open_session("dofactl bench", plan.family, plan.contract)),
      stream_(session_.open_stream(
          {.width = plan.width, .height = plan.height, .format = plan.format, .top_k = 1})) {}

LoadCount Load::run(double offset, const std::atomic<bool>& stop) {
  Round round;
  const auto period =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / plan_.rate_hz));
  const auto start = Clock::now() + std::chrono::duration_cast<Clock::duration>(period * offset);
  const auto frames = static_cast<std::uint64_t>(std::ceil(plan_.duration.count() * plan_.rate_hz));
  const auto wait_until = [&](Clock::time_point time) {
    for (auto now = Clock::now(); now < time; now = Clock::now()) {
      const auto left = std::chrono::duration_cast<std::chrono::microseconds>(time - now);
      if (const auto result = stream_.wait(left)) round.take(*result);
    }
    while (const auto result = stream_.try_take()) round.take(*result);
  };
  for (std::uint64_t frame = 0; frame < frames && !stop; ++frame) {
    wait_until(start + period * frame);
    auto slot = stream_.try_acquire();
    if (!slot) {
      stream_.count_given_up();
      ++round.count.given_up;
      continue;
    }
    if (round.drawn.insert(slot->pixels().data()).second) draw(slot->pixels(), plan_.format);
    const auto now = Clock::now();
    round.published.emplace(stream_.submit(std::move(*slot)), now);
    ++round.count.submitted;
  }
  const auto deadline = Clock::now() + kPatience;
  while (!round.published.empty() && Clock::now() < deadline) {
    if (const auto result = stream_.wait(100ms)) round.take(*result);
  }
  round.count.lost = round.published.size();
  return std::move(round.count);
}

}  // namespace dofa::ctl

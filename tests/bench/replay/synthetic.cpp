// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/replay/synthetic.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace dofa::replay {
namespace {

// As in the recorded quiet trace: medians, spread, and one frame in a hundred that waits for another thread.
constexpr std::array<double, kNets> kQuietUs = {2'300, 5'030, 13'400};
constexpr double kSpread = 0.045;
constexpr double kSpikeShare = 0.01;
constexpr double kSpikeMeanUs = 3'000;
constexpr std::int64_t kGridUs = 25'000;
constexpr std::int64_t kReadingUs = 50'000;
constexpr std::int64_t kQuietUsBefore = 30'000'000;

/// std::normal_distribution differs between libraries; this does not.
class Noise {
 public:
  explicit Noise(std::uint32_t seed) : engine_(seed) {}
  double uniform() { return (static_cast<double>(engine_()) + 0.5) / 4294967296.0; }
  double factor() {
    return std::exp(kSpread * std::sqrt(-2 * std::log(uniform())) * std::cos(6.283185307 * uniform()));
  }
  double spike_us() { return uniform() < kSpikeShare ? -kSpikeMeanUs * std::log(uniform()) : 0.0; }

 private:
  std::mt19937 engine_;
};

Course make_course(const SyntheticProcessor& processor, std::int64_t duration_us, Noise& noise) {
  Course course;
  course.processor = processor.name;
  std::size_t net = 0;
  for (std::int64_t t_us = 0; t_us < duration_us; t_us += kGridUs) {
    const double quiet_us = kQuietUs[net] / processor.speed;
    const double latency_us =
        processor.slowdown(t_us) * (quiet_us * noise.factor() + noise.spike_us() / processor.speed);
    course.nets[net].push_back({t_us, latency_us});
    net = (net + 1) % kNets;
  }
  return course;
}

}  // namespace

World make_world(const std::string& name, std::int64_t duration_us,
                 const std::vector<SyntheticProcessor>& processors, std::uint32_t seed) {
  Noise noise(seed);
  World quiet;
  for (SyntheticProcessor processor : processors) {
    processor.slowdown = constant(1);
    quiet.courses.push_back(make_course(processor, kQuietUsBefore, noise));
  }
  profile_quiet_parts(quiet);

  World world;
  world.name = name;
  world.duration_us = duration_us;
  world.family = quiet.family;
  world.quiet_p95_us = quiet.quiet_p95_us;
  for (std::size_t p = 0; p < processors.size(); ++p) {
    world.courses.push_back(make_course(processors[p], duration_us, noise));
    for (std::int64_t t_us = kReadingUs; t_us < duration_us; t_us += kReadingUs) {
      world.readings.push_back({t_us, p, processors[p].slowdown(t_us)});
    }
  }
  std::sort(world.readings.begin(), world.readings.end(),
            [](const Reading& a, const Reading& b) { return a.t_us < b.t_us; });
  constexpr std::int64_t kResolutionUs = 1'000;
  bool loaded = false;
  for (std::int64_t t_us = 0; t_us < duration_us; t_us += kResolutionUs) {
    const bool now = processors.front().slowdown(t_us) > 1.0;
    if (now && !loaded) world.phases.push_back({t_us, duration_us, "synthetic"});
    if (!now && loaded) world.phases.back().end_us = t_us;
    loaded = now;
  }
  return world;
}

SlowdownCourse constant(double slowdown) {
  return [=](std::int64_t) { return slowdown; };
}

SlowdownCourse step(double slowdown, std::int64_t begin_us, std::int64_t end_us) {
  return [=](std::int64_t t_us) { return t_us >= begin_us && t_us < end_us ? slowdown : 1.0; };
}

SlowdownCourse ramp(double highest, std::int64_t begin_us, std::int64_t end_us) {
  return [=](std::int64_t t_us) {
    if (t_us < begin_us || t_us >= end_us) return 1.0;
    return 1.0 +
           (highest - 1.0) * static_cast<double>(t_us - begin_us) / static_cast<double>(end_us - begin_us);
  };
}

SlowdownCourse bursts(double slowdown, std::int64_t on_us, std::int64_t off_us) {
  return [=](std::int64_t t_us) { return t_us % (on_us + off_us) < on_us ? slowdown : 1.0; };
}

}  // namespace dofa::replay

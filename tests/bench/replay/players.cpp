// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/replay/players.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "daemon/policy/quantile.hpp"

namespace dofa::replay {
namespace {

std::vector<policy::ProcessorSpec> processors_of(const World& world) {
  std::vector<policy::ProcessorSpec> processors;
  for (const Course& course : world.courses) processors.push_back({course.processor, 1});
  return processors;
}

}  // namespace

DofaPlayer::DofaPlayer(const World& world, policy::PlannerOptions options)
    : family_(world.family), policy_(processors_of(world), options) {}

bool DofaPlayer::open(policy::SessionId id, const Application& application, std::int64_t now_us) {
  auto session = policy_.open(application.contract, family_, now_us);
  if (session) ids_[id] = *session;
  return session.ok();
}

void DofaPlayer::close(policy::SessionId id, std::int64_t) {
  policy_.close(ids_.at(id));
  ids_.erase(id);
}

bool DofaPlayer::arrived(policy::SessionId id, std::int64_t now_us) {
  return policy_.arrived(ids_.at(id), now_us).background;
}

std::uint32_t DofaPlayer::lane_of(policy::SessionId id) const {
  return policy_.session(ids_.at(id)).lane;
}

Pick DofaPlayer::pick(std::uint32_t lane, std::int64_t now_us, std::span<const policy::QueuedFrame> queue) {
  queue_.assign(queue.begin(), queue.end());
  for (policy::QueuedFrame& frame : queue_) frame.session = ids_.at(frame.session);
  const policy::DispatchDecision decision = policy_.pick(lane, now_us, queue_);
  using Action = policy::DispatchDecision::Action;
  Pick pick;
  if (decision.action == Action::kNothing) return pick;
  const policy::SessionId session = queue_[decision.frame].session;
  const std::uint32_t processor = policy_.processor_of(lane);
  pick.action = decision.action == Action::kRun ? Pick::Action::kRun : Pick::Action::kDrop;
  pick.frame = decision.frame;
  pick.level = decision.level;
  pick.ceiling = static_cast<int>(policy_.session(session).ceiling);
  static const double kZ95 = policy::normal_quantile(0.95);
  pick.predicted_q95_us =
      policy_.slowdown(processor).quantile_us(family_->levels[decision.level].time_us[processor], kZ95);
  return pick;
}

void DofaPlayer::finished(const FrameRecord& frame, std::uint32_t lane) {
  policy_.finished({ids_.at(frame.session), lane, static_cast<std::uint32_t>(frame.level), frame.arrived_us,
                    frame.started_us, frame.finished_us, frame.deadline_us, 0.0, frame.inference_us});
}

void DofaPlayer::dropped(const FrameRecord& frame) {
  policy_.dropped(ids_.at(frame.session));
}

void DofaPlayer::reading(const Reading& reading) {
  policy_.load(static_cast<std::uint32_t>(reading.processor), reading.expected_slowdown, reading.t_us);
}

void DofaPlayer::tick(std::int64_t now_us) {
  for (const policy::PlanChange& change : policy_.plan(now_us)) {
    if (change.from.ceiling != change.to.ceiling || change.from.lane != change.to.lane) {
      switches_us_.push_back(now_us);
    }
  }
}

Pick Baseline::pick(std::uint32_t, std::int64_t now_us, std::span<const policy::QueuedFrame> queue) {
  Pick pick;
  pick.action = Pick::Action::kRun;
  pick.level = choose(static_cast<double>(queue.front().deadline_us - now_us));
  pick.ceiling = static_cast<int>(pick.level);
  return pick;
}

void OriginalPlayer::finished(const FrameRecord& frame, std::uint32_t) {
  constexpr std::size_t kWindow = 20;
  latencies_us_.push_back(frame.inference_us);
  if (latencies_us_.size() < kWindow) return;
  double mean = 0;
  for (double latency : latencies_us_) mean += latency / kWindow;
  latencies_us_.pop_front();
  const std::uint32_t before = level_;
  if (mean > budget_us_ && level_ > 0) {
    --level_;
  } else if (level_ < top() && mean * profile_us(level_ + 1) / profile_us(level_) <= budget_us_) {
    ++level_;
  }
  if (level_ != before) latencies_us_.clear();
}

void AlertPlayer::finished(const FrameRecord& frame, std::uint32_t) {
  constexpr double kMeasurementNoise = 0.001;
  constexpr double kLeastProcessNoise = 0.1;
  constexpr double kMemory = 0.3;
  process_noise_ = std::max(kLeastProcessNoise,
                            kMemory * process_noise_ + (1 - kMemory) * std::pow(gain_ * innovation_, 2));
  const double prior = (1 - gain_) * variance_ + process_noise_;
  gain_ = prior / (prior + kMeasurementNoise);
  innovation_ = frame.inference_us / profile_us(static_cast<std::size_t>(frame.level)) - mean_;
  mean_ += gain_ * innovation_;
  variance_ = prior;
}

std::uint32_t AlertPlayer::choose(double slack_us) {
  std::uint32_t best = 0;
  double most = -1;
  for (std::uint32_t level = 0; level <= top(); ++level) {
    const double z = (slack_us / profile_us(level) - mean_) / std::sqrt(variance_);
    const double on_time = 0.5 * std::erfc(-z / std::numbers::sqrt2);
    if (const double expected = on_time * family_->levels[level].accuracy; expected > most) {
      most = expected;
      best = level;
    }
  }
  return best;
}

std::uint32_t SlackFitPlayer::choose(double slack_us) {
  constexpr double kBuckets = 10;
  const double low = profile_us(0);
  const double width = (profile_us(top()) - low) / kBuckets;
  const double covered = low + width * std::floor((slack_us - low) / width);
  std::uint32_t level = top();
  while (level > 0 && profile_us(level) > covered) --level;
  return level;
}

}  // namespace dofa::replay

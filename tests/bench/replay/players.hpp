// SPDX-License-Identifier: Apache-2.0
// The policies that a replay compares: ours (the code the daemon runs) and what the literature offers. The
// baselines serve one session on the first processor, in order of arrival.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>

#include "daemon/policy/policy.hpp"
#include "tests/bench/replay/simulator.hpp"

namespace dofa::replay {

/// Drives daemon/policy through the door that daemon/control uses.
class DofaPlayer final : public Player {
 public:
  explicit DofaPlayer(const World& world, policy::PlannerOptions options = {});
  bool open(policy::SessionId id, const Application& application, std::int64_t now_us) override;
  void close(policy::SessionId id, std::int64_t now_us) override;
  bool arrived(policy::SessionId id, std::int64_t now_us) override;
  [[nodiscard]] std::uint32_t lane_of(policy::SessionId id) const override;
  Pick pick(std::uint32_t lane, std::int64_t now_us, std::span<const policy::QueuedFrame> queue) override;
  void finished(const FrameRecord& frame, std::uint32_t lane) override;
  void dropped(const FrameRecord& frame) override;
  void reading(const Reading& reading) override;
  void tick(std::int64_t now_us) override;
  [[nodiscard]] std::vector<std::int64_t> switches(std::span<const FrameRecord>) const override {
    return switches_us_;
  }
  [[nodiscard]] const policy::Policy& policy() const { return policy_; }

 private:
  std::shared_ptr<const policy::FamilyProfile> family_;
  policy::Policy policy_;
  std::map<policy::SessionId, policy::SessionId> ids_;  // application → session
  std::vector<policy::QueuedFrame> queue_;
  std::vector<std::int64_t> switches_us_;
};

/// What the single-session baselines share: the oldest frame runs, at the level that choose() names.
class Baseline : public Player {
 public:
  explicit Baseline(const World& world) : family_(world.family) {}
  bool open(policy::SessionId, const Application& application, std::int64_t) override {
    budget_us_ = static_cast<double>(*application.contract.latency_budget_us);
    return true;
  }
  Pick pick(std::uint32_t, std::int64_t now_us, std::span<const policy::QueuedFrame> queue) override;

 protected:
  /// The level for a frame with this much time left until its deadline.
  virtual std::uint32_t choose(double slack_us) = 0;
  [[nodiscard]] double profile_us(std::size_t level) const { return family_->levels[level].time_us[0]; }
  [[nodiscard]] std::uint32_t top() const { return static_cast<std::uint32_t>(family_->levels.size() - 1); }

  std::shared_ptr<const policy::FamilyProfile> family_;
  double budget_us_ = 0;
};

/// Always the same level.
class StaticPlayer final : public Baseline {
 public:
  StaticPlayer(const World& world, std::uint32_t level) : Baseline(world), level_(level) {}

 private:
  std::uint32_t choose(double) override { return level_; }
  std::uint32_t level_;
};

/// The original Dynamic-OFA (Lou et al., CVPRW 2021): after 20 frames at a level, one level down if their
/// mean is above the budget, one up if the next would still be within it by the profile. Kinder than the
/// original: switching is free.
class OriginalPlayer final : public Baseline {
 public:
  explicit OriginalPlayer(const World& world) : Baseline(world), level_(top()) {}
  void finished(const FrameRecord& frame, std::uint32_t lane) override;

 private:
  std::uint32_t choose(double) override { return level_; }
  std::uint32_t level_;
  std::deque<double> latencies_us_;
};

/// ALERT (Wan et al., USENIX ATC 2020) with its published constants: a Kalman filter on the slowdown with
/// adaptive process noise, and per frame the level with the highest expected accuracy, where a missed
/// deadline is worth nothing.
class AlertPlayer final : public Baseline {
 public:
  explicit AlertPlayer(const World& world) : Baseline(world) {}
  void finished(const FrameRecord& frame, std::uint32_t lane) override;

 private:
  std::uint32_t choose(double slack_us) override;
  double mean_ = 1.0;
  double variance_ = 0.1;
  double gain_ = 0.5;
  double innovation_ = 0.0;
  double process_noise_ = 0.1;
};

/// SlackFit (SuperServe, Khare et al., NSDI 2025) at batch size 1: the range of profiled latencies is cut
/// into equal buckets; the frame gets the most accurate level of the fullest bucket that its slack still
/// covers.
class SlackFitPlayer final : public Baseline {
 public:
  explicit SlackFitPlayer(const World& world) : Baseline(world) {}

 private:
  std::uint32_t choose(double slack_us) override;
};

}  // namespace dofa::replay

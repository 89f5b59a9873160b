// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/replay/simulator.hpp"

#include <algorithm>
#include <optional>

namespace dofa::replay {
namespace {

constexpr std::int64_t kPeriodUs = 40'000;
constexpr double kPercentile = 0.98;
constexpr std::int64_t kTailUs = 50'000;  // a trace's last samples are not used up

class Simulation {
 public:
  Simulation(const World& world, std::span<const Application> applications, Player& player)
      : world_(world), applications_(applications), player_(player), lanes_(world.courses.size()) {
    for (const Application& application : applications) next_arrival_us_.push_back(application.begin_us);
    outcome_.admitted.assign(applications.size(), false);
    opened_.assign(applications.size(), false);
  }

  Outcome run() {
    while (const std::optional<std::int64_t> now_us = next_event()) {
      while (next_reading_ < world_.readings.size() && world_.readings[next_reading_].t_us <= *now_us) {
        player_.reading(world_.readings[next_reading_++]);
      }
      for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) complete(lane, *now_us);
      for (policy::SessionId id = 0; id < applications_.size(); ++id) arrive(id, *now_us);
      if (*now_us >= next_tick_us_) {
        player_.tick(*now_us);
        next_tick_us_ += kTickUs;
      }
      for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) serve(lane, *now_us);
    }
    outcome_.switches_us = player_.switches(outcome_.frames);
    return std::move(outcome_);
  }

 private:
  struct Lane {
    bool busy = false;
    std::size_t frame = 0;  // index into outcome_.frames
    std::int64_t free_us = 0;
  };
  struct Waiting {
    std::size_t frame;
    policy::QueuedFrame queued;
  };

  /// The earliest thing to happen; nothing once all frames are answered.
  [[nodiscard]] std::optional<std::int64_t> next_event() const {
    std::int64_t next = INT64_MAX;
    bool frames_left = !waiting_.empty();
    for (policy::SessionId id = 0; id < applications_.size(); ++id) {
      if (next_arrival_us_[id] >= applications_[id].end_us) continue;
      next = std::min(next, next_arrival_us_[id]);
      frames_left = true;
    }
    for (const Lane& lane : lanes_) {
      if (!lane.busy) continue;
      next = std::min(next, lane.free_us);
      frames_left = true;
    }
    if (!frames_left) return std::nullopt;
    if (next_reading_ < world_.readings.size()) next = std::min(next, world_.readings[next_reading_].t_us);
    return std::min(next, next_tick_us_);
  }

  void arrive(policy::SessionId id, std::int64_t now_us) {
    const Application& application = applications_[id];
    if (next_arrival_us_[id] > now_us || next_arrival_us_[id] >= application.end_us) return;
    if (!opened_[id]) {
      opened_[id] = true;
      outcome_.admitted[id] = player_.open(id, application, now_us);
    }
    next_arrival_us_[id] += application.every_us > 0 ? application.every_us : *application.contract.period_us;
    const bool last = next_arrival_us_[id] >= application.end_us;
    if (!outcome_.admitted[id]) {
      next_arrival_us_[id] = application.end_us;
      return;
    }
    FrameRecord record;
    record.session = id;
    record.arrived_us = now_us;
    record.deadline_us = now_us + *application.contract.latency_budget_us;
    const bool background = player_.arrived(id, now_us);
    Waiting waiting{outcome_.frames.size(), {id, record.deadline_us, 0.0, background}};
    outcome_.frames.push_back(record);
    const auto behind = std::upper_bound(
        waiting_.begin(), waiting_.end(), waiting,
        [](const Waiting& a, const Waiting& b) { return a.queued.deadline_us < b.queued.deadline_us; });
    waiting_.insert(behind, waiting);
    if (last) closing_.push_back(id);
  }

  void serve(std::uint32_t lane, std::int64_t now_us) {
    while (!lanes_[lane].busy) {
      std::vector<policy::QueuedFrame> queue;
      std::vector<std::size_t> index;
      for (std::size_t i = 0; i < waiting_.size(); ++i) {
        if (player_.lane_of(waiting_[i].queued.session) != lane) continue;
        queue.push_back(waiting_[i].queued);
        index.push_back(i);
      }
      if (queue.empty()) return;
      const Pick pick = player_.pick(lane, now_us, queue);
      if (pick.action == Pick::Action::kNothing) return;
      FrameRecord& record = outcome_.frames[waiting_[index[pick.frame]].frame];
      const std::size_t frame = waiting_[index[pick.frame]].frame;
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(index[pick.frame]));
      record.ceiling = pick.ceiling;
      if (pick.action == Pick::Action::kDrop) {
        player_.dropped(record);
        continue;
      }
      record.level = static_cast<int>(pick.level);
      record.processor = lane;
      record.predicted_q95_us = pick.predicted_q95_us;
      record.inference_us = world_.courses[lane].latency_us(pick.level, record.arrived_us);
      record.started_us = now_us;
      record.finished_us = now_us + static_cast<std::int64_t>(record.inference_us);
      lanes_[lane] = {true, frame, record.finished_us};
    }
  }

  void complete(std::uint32_t lane, std::int64_t now_us) {
    if (!lanes_[lane].busy || lanes_[lane].free_us > now_us) return;
    lanes_[lane].busy = false;
    player_.finished(outcome_.frames[lanes_[lane].frame], lane);
    std::erase_if(closing_, [&](policy::SessionId id) {
      const bool waits = std::any_of(waiting_.begin(), waiting_.end(),
                                     [id](const Waiting& waiting) { return waiting.queued.session == id; });
      const bool runs = std::any_of(lanes_.begin(), lanes_.end(), [&](const Lane& other) {
        return other.busy && outcome_.frames[other.frame].session == id;
      });
      if (!waits && !runs) player_.close(id, now_us);
      return !waits && !runs;
    });
  }

  const World& world_;
  std::span<const Application> applications_;
  Player& player_;
  std::vector<Lane> lanes_;
  std::vector<std::int64_t> next_arrival_us_;
  std::vector<bool> opened_;
  std::vector<policy::SessionId> closing_;
  std::vector<Waiting> waiting_;  // in deadline order
  std::size_t next_reading_ = 0;
  std::int64_t next_tick_us_ = 0;
  Outcome outcome_;
};

}  // namespace

std::vector<std::int64_t> Player::switches(std::span<const FrameRecord> frames) const {
  std::vector<std::int64_t> times;
  int level = -1;
  for (const FrameRecord& frame : frames) {
    if (!frame.served()) continue;
    if (level >= 0 && frame.level != level) times.push_back(frame.started_us);
    level = frame.level;
  }
  return times;
}

Outcome play(const World& world, std::span<const Application> applications, Player& player) {
  return Simulation(world, applications, player).run();
}

Application whole_length(const World& world, double budget_us) {
  Application application;
  application.contract.latency_budget_us = static_cast<std::int64_t>(budget_us);
  application.contract.period_us = kPeriodUs;
  application.contract.percentile = kPercentile;
  application.end_us = world.duration_us - kTailUs;
  return application;
}

}  // namespace dofa::replay

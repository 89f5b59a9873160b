// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/dispatcher.hpp"

#include <algorithm>

namespace dofa::policy {
namespace {

// Without a fresh observation "hopeless" is a memory, not a fact; one frame a quarter of a second finds out.
constexpr std::int64_t kProbeAfterUs = 250'000;

class Lane {
 public:
  Lane(std::int64_t now_us, std::uint32_t processor, const SlowdownFilter& slowdown,
       std::span<const DispatchSession> sessions)
      : now_us_(now_us), processor_(processor), slowdown_(slowdown), sessions_(sessions) {}

  [[nodiscard]] double profile_us(SessionId session, std::uint32_t level) const {
    return sessions_[session].family->levels[level].time_us[processor_];
  }
  /// Time until the frame is answered at this level: c + q(p).
  [[nodiscard]] double needed_us(SessionId session, std::uint32_t level, double prepare_us) const {
    return prepare_us + slowdown_.quantile_us(profile_us(session, level), sessions_[session].z);
  }
  [[nodiscard]] double least_us(SessionId session, double prepare_us) const {
    return needed_us(session, sessions_[session].floor, prepare_us);
  }
  /// Even the mean of the fastest acceptable point comes too late. (The quantile is a promise; a verdict over
  /// a frame takes the likelier half.)
  [[nodiscard]] bool hopeless(const QueuedFrame& frame) const {
    const double mean = slowdown_.mean_us(profile_us(frame.session, sessions_[frame.session].floor));
    return static_cast<double>(now_us_) + frame.prepare_us + mean > static_cast<double>(frame.deadline_us);
  }

  /// The latest time at which the frame at `head` may be finished so that everything with a later deadline,
  /// queued or expected, can still be on time at its fastest acceptable point. Walks back from the last
  /// deadline. Frames that cannot be on time anyway reserve nothing, and where two cannot both be, the nearer
  /// one counts.
  [[nodiscard]] double latest_finish_us(std::size_t head, std::span<const QueuedFrame> queue,
                                        std::span<const ExpectedFrame> expected) const {
    double latest = static_cast<double>(kNoDeadline);
    std::size_t i = queue.size();
    std::size_t j = expected.size();
    while (i > head + 1 || j > 0) {
      const bool take_expected =
          j > 0 && (i <= head + 1 || expected[j - 1].deadline_us > queue[i - 1].deadline_us);
      if (take_expected) {
        const ExpectedFrame& frame = expected[--j];
        latest =
            reserve(latest, frame.arrival_us, frame.deadline_us, least_us(frame.session, frame.prepare_us));
      } else if (const QueuedFrame& frame = queue[--i]; !frame.background && !hopeless(frame)) {
        latest = reserve(latest, now_us_, frame.deadline_us, least_us(frame.session, frame.prepare_us));
      }
    }
    return latest;
  }

  [[nodiscard]] DispatchDecision run(std::size_t index, const QueuedFrame& frame, std::uint32_t level,
                                     DispatchReason reason) const {
    const double profile = profile_us(frame.session, level);
    return {DispatchDecision::Action::kRun,
            index,
            level,
            reason,
            slowdown_.mean_us(profile),
            slowdown_.quantile_us(profile, sessions_[frame.session].z)};
  }

  /// The most accurate level not above the ceiling that is finished by `finish_us`.
  [[nodiscard]] DispatchDecision best(std::size_t index, const QueuedFrame& frame, double latest_us,
                                      DispatchReason at_ceiling) const {
    const DispatchSession& session = sessions_[frame.session];
    const double deadline = static_cast<double>(frame.deadline_us);
    DispatchReason reason = at_ceiling;
    for (std::uint32_t level = session.ceiling;; --level) {
      if (profile_us(frame.session, level) <= 0 && level > session.floor) continue;  // not on this processor
      const double done = static_cast<double>(now_us_) + needed_us(frame.session, level, frame.prepare_us);
      if (done <= std::min(deadline, latest_us)) return run(index, frame, level, reason);
      if (level == session.floor) {
        return run(index, frame, level,
                   done > deadline ? DispatchReason::kAtRisk : DispatchReason::kReserved);
      }
      reason = done > deadline ? DispatchReason::kDeadline : DispatchReason::kReserved;
    }
  }

 private:
  static double reserve(double latest, std::int64_t arrival_us, std::int64_t deadline_us, double least) {
    const double alone = static_cast<double>(deadline_us) - least;
    if (alone < static_cast<double>(arrival_us)) return latest;
    const double before_later = std::min(static_cast<double>(deadline_us), latest) - least;
    return before_later < static_cast<double>(arrival_us) ? alone : before_later;
  }

  std::int64_t now_us_;
  std::uint32_t processor_;
  const SlowdownFilter& slowdown_;
  std::span<const DispatchSession> sessions_;
};

}  // namespace

DispatchDecision dispatch(std::int64_t now_us, std::uint32_t processor, const SlowdownFilter& slowdown,
                          std::span<const QueuedFrame> queue, std::span<const ExpectedFrame> expected,
                          std::span<const DispatchSession> sessions) {
  const Lane lane(now_us, processor, slowdown, sessions);
  const bool informed =
      slowdown.observed_us() != INT64_MIN && now_us - slowdown.observed_us() < kProbeAfterUs;
  const QueuedFrame* late = nullptr;
  const QueuedFrame* background = nullptr;
  for (const QueuedFrame& frame : queue) {
    const auto index = static_cast<std::size_t>(&frame - queue.data());
    if (frame.background && !(informed && lane.hopeless(frame) && sessions[frame.session].when_late == WhenLate::kDrop)) {
      if (background == nullptr) background = &frame;
    } else if (!lane.hopeless(frame)) {
      return lane.best(index, frame, lane.latest_finish_us(index, queue, expected), DispatchReason::kCeiling);
    } else if (sessions[frame.session].when_late == WhenLate::kDrop) {
      if (!informed) return lane.run(index, frame, sessions[frame.session].floor, DispatchReason::kProbe);
      return {DispatchDecision::Action::kDrop, index, 0, DispatchReason::kHopeless, 0.0, 0.0};
    } else if (late == nullptr) {
      late = &frame;
    }
  }
  if (late != nullptr) {
    return lane.run(static_cast<std::size_t>(late - queue.data()), *late, sessions[late->session].floor,
                    DispatchReason::kLate);
  }
  if (background != nullptr) {
    const auto index = static_cast<std::size_t>(background - queue.data());
    return lane.best(index, *background, lane.latest_finish_us(queue.size(), queue, expected),
                     DispatchReason::kBackground);
  }
  return {};
}

const char* describe(DispatchReason reason) {
  switch (reason) {
    case DispatchReason::kCeiling:
      return "at the planned level";
    case DispatchReason::kDeadline:
      return "deadline too near for the planned level";
    case DispatchReason::kReserved:
      return "room kept for other frames";
    case DispatchReason::kAtRisk:
      return "fastest acceptable level, may be late";
    case DispatchReason::kLate:
      return "late, delivered as nothing else waits";
    case DispatchReason::kProbe:
      return "run to learn how loaded the processor is";
    case DispatchReason::kBackground:
      return "above the contract's rate, nothing else waits";
    case DispatchReason::kHopeless:
      return "cannot be on time at any acceptable level";
    case DispatchReason::kIdle:
      return "nothing waits";
  }
  return "unknown";
}

}  // namespace dofa::policy

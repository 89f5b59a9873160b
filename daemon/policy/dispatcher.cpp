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
                                        std::span<const ExpectedFrame> expected,
                                        std::span<const std::size_t> taken = {}) const {
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
      } else if (const QueuedFrame& frame = queue[--i];
                 !frame.background && std::find(taken.begin(), taken.end(), i) == taken.end() &&
                 !hopeless(frame)) {
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
            slowdown_.quantile_us(profile, sessions_[frame.session].z),
            1,
            {}};
  }

  /// Lets further frames ride along with a decision to run one, if that pays. The largest batch is tried
  /// first.
  [[nodiscard]] DispatchDecision with_company(DispatchDecision decision, std::span<const QueuedFrame> queue,
                                              std::span<const ExpectedFrame> expected) const {
    const LevelProfile& level = sessions_[queue[decision.frame].session].family->levels[decision.level];
    const double alone_us = level.time_of_us(processor_, 1);
    if (level.time_of_us(processor_, 2) <= 0) return decision;
    std::array<std::size_t, kMaxBatch> members{decision.frame};
    const std::uint32_t found = gather(members, decision.level, queue);
    for (std::size_t i = kBatchSizes.size(); i-- > 0;) {
      const std::uint32_t count = std::min(found, kBatchSizes[i]);
      if (count <= (i > 0 ? kBatchSizes[i - 1] : 1)) continue;  // a smaller batch does
      const double profile = level.batch_time_us[processor_][i];
      if (profile <= 0 || profile >= count * alone_us) continue;
      const std::span<const std::size_t> batch(members.data(), count);
      if (finish_us(profile, batch, queue) > latest_for(batch, queue, expected)) continue;
      decision.count = count;
      decision.batch = members;
      decision.mean_us = slowdown_.mean_us(profile);
      decision.quantile_us = slowdown_.quantile_us(profile, widest_z(batch, queue));
      break;
    }
    return decision;
  }

  /// The most accurate level not above the ceiling that is finished by `latest_us`, or that a batch makes
  /// possible: those that ride along need no time of their own.
  [[nodiscard]] DispatchDecision best(std::size_t index, std::span<const QueuedFrame> queue,
                                      std::span<const ExpectedFrame> expected, double latest_us,
                                      DispatchReason at_ceiling) const {
    const QueuedFrame& frame = queue[index];
    const DispatchSession& session = sessions_[frame.session];
    const double deadline = static_cast<double>(frame.deadline_us);
    DispatchReason reason = at_ceiling;
    for (std::uint32_t level = session.ceiling;; --level) {
      if (!session.family->levels[level].offered(processor_) && level > session.floor) continue;  // not here
      const double done = static_cast<double>(now_us_) + needed_us(frame.session, level, frame.prepare_us);
      const bool in_time = done <= std::min(deadline, latest_us);
      if (in_time || session.family->levels[level].time_of_us(processor_, 2) > 0) {
        const DispatchDecision decision = with_company(run(index, frame, level, reason), queue, expected);
        if (in_time || decision.count > 1) return decision;
      }
      if (level == session.floor) {
        return run(index, frame, level,
                   done > deadline ? DispatchReason::kAtRisk : DispatchReason::kReserved);
      }
      reason = done > deadline ? DispatchReason::kDeadline : DispatchReason::kReserved;
    }
  }

 private:
  /// The frames that may run with the first of `members` at `level`, in deadline order and those above their
  /// rate last.
  std::uint32_t gather(std::array<std::size_t, kMaxBatch>& members, std::uint32_t level,
                       std::span<const QueuedFrame> queue) const {
    const FamilyProfile* family = sessions_[queue[members[0]].session].family;
    std::uint32_t count = 1;
    for (const bool background : {false, true}) {
      for (std::size_t i = 0; i < queue.size() && count < kMaxBatch; ++i) {
        const QueuedFrame& frame = queue[i];
        const DispatchSession& session = sessions_[frame.session];
        if (i == members[0] || frame.background != background || session.family != family) continue;
        if (level < session.floor || level > session.ceiling || hopeless(frame)) continue;
        members[count++] = i;
      }
    }
    return count;
  }
  [[nodiscard]] double widest_z(std::span<const std::size_t> batch,
                                std::span<const QueuedFrame> queue) const {
    double z = 0;
    for (const std::size_t i : batch) z = std::max(z, sessions_[queue[i].session].z);
    return z;
  }
  [[nodiscard]] double finish_us(double profile, std::span<const std::size_t> batch,
                                 std::span<const QueuedFrame> queue) const {
    double finish = static_cast<double>(now_us_) + slowdown_.quantile_us(profile, widest_z(batch, queue));
    for (const std::size_t i : batch) finish += queue[i].prepare_us;
    return finish;
  }
  /// When the batch has to be finished: by its members' deadlines, and early enough for all others.
  [[nodiscard]] double latest_for(std::span<const std::size_t> batch, std::span<const QueuedFrame> queue,
                                  std::span<const ExpectedFrame> expected) const {
    double latest = static_cast<double>(kNoDeadline);
    for (const std::size_t i : batch) latest = std::min(latest, static_cast<double>(queue[i].deadline_us));
    constexpr std::size_t kBeforeAll = SIZE_MAX;  // all the others count, wherever they stand
    return std::min(latest, latest_finish_us(kBeforeAll, queue, expected, batch));
  }

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
    if (frame.background &&
        !(informed && lane.hopeless(frame) && sessions[frame.session].when_late == WhenLate::kDrop)) {
      if (background == nullptr) background = &frame;
    } else if (!lane.hopeless(frame)) {
      return lane.best(index, queue, expected, lane.latest_finish_us(index, queue, expected),
                       DispatchReason::kCeiling);
    } else if (sessions[frame.session].when_late == WhenLate::kDrop) {
      if (!informed) return lane.run(index, frame, sessions[frame.session].floor, DispatchReason::kProbe);
      return {DispatchDecision::Action::kDrop, index, 0, DispatchReason::kHopeless, 0.0, 0.0, 1, {}};
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
    return lane.best(index, queue, expected, lane.latest_finish_us(queue.size(), queue, expected),
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

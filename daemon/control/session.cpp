// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/session.hpp"

#include "daemon/control/scheduler.hpp"

namespace dofa::control {

Session::Session(SessionIdentity identity, policy::SessionId policy_id, std::shared_ptr<LoadedFamily> family,
                 Scheduler& scheduler)
    : identity_(std::move(identity)),
      policy_id_(policy_id),
      family_(std::move(family)),
      scheduler_(scheduler) {}

policy::Contract Session::contract() const {
  return scheduler_.contract(*this);
}
policy::SessionStats Session::stats() const {
  return scheduler_.stats(*this);
}
void Session::count_refused(std::uint64_t frames) {
  scheduler_.count_refused(*this, frames);
}
RecentFrames Session::recent_frames(std::uint64_t count) const {
  return scheduler_.recent_frames(*this, count);
}

std::int64_t Session::expected_latency_us() const {
  const std::uint32_t where = processor();
  return static_cast<std::int64_t>(family_->profile()->levels[level()].time_us[where] *
                                   scheduler_.slowdown(where));
}

}  // namespace dofa::control

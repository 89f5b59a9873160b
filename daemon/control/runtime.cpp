// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/runtime.hpp"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <thread>

#include "daemon/control/actuators.hpp"
#include "daemon/control/family_files.hpp"
#include "daemon/engine/kernels/simd.hpp"
#include "daemon/engine/thread.hpp"

namespace dofa::control {
namespace {

constexpr std::uint32_t kCpu = 0;  // index of the processor
constexpr std::int64_t kPlanPeriodUs = 100'000;
constexpr std::int64_t kUnmetPeriodUs = 1'000'000;    // ContractUnmet a session
constexpr std::int64_t kRefinePeriodUs = 5'000'000;   // between attempts to profile on a quiet machine
constexpr std::uint32_t kProfileRounds = 9;
constexpr std::int64_t kLevelPeriodUs = 200'000;      // SubnetChanged a session
constexpr std::size_t kMaxApplicationBytes = 256;  // 64 characters of at most 4 bytes

std::uint32_t count_lanes(std::uint32_t configured) {
  if (configured != 0) return configured;
  return std::max(1U, std::max(1U, std::thread::hardware_concurrency()) - 1);
}

/// Length in characters of well-formed UTF-8 without control characters; nothing where it is not that.
std::optional<std::size_t> printable_length(const std::string& text) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++characters) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    // D-Bus has checked the encoding; C1 controls (U+0080..9F) are C2 80..C2 9F.
    if (lead < 0x20 || lead == 0x7F || i + length > text.size()) return std::nullopt;
    if (lead == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0) return std::nullopt;
    i += length;
  }
  return characters;
}

Result<void> check_application(const std::string& name) {
  const auto length = name.size() <= kMaxApplicationBytes ? printable_length(name) : std::nullopt;
  if (!length || *length == 0 || *length > 64) {
    return Error{ErrorCode::kInvalidArgument, "the application's name must be 1 to 64 printable characters"};
  }
  return {};
}

}  // namespace

Runtime::Runtime(config::ServiceOptions options, Environment environment)
    : options_(std::move(options)),
      started_(options_),
      lane_count_(count_lanes(options_.lanes.cpu)),
      keeper_{options_.families.profiles, machine_fingerprint(environment.root, lane_count_, environment.version)},
      families_(options_.families, options_.limits.families, lane_count_, std::move(environment.verifier), keeper_),
      watcher_(environment.root, lane_count_),
      scheduler_(lane_count_, static_cast<std::size_t>(options_.limits.sessions) * options_.limits.queue) {
  for (std::uint32_t index = 0; index < lane_count_; ++index) {
    lanes_.push_back(std::make_unique<Lane>(index, scheduler_, [this, index, options = options_] {
      engine::prepare_inference_thread(options.engine.onednn);
      watcher_.add_worker(gettid());
      for (const std::string& refused : apply_actuators(options.lanes, index)) spdlog::warn("{}, ignoring", refused);
    }));
  }
}

Runtime::~Runtime() { shut_down(); }

void Runtime::set_listener(RuntimeListener* listener) {
  listener_ = listener;
}

Result<std::shared_ptr<const LoadedFamily>> Runtime::load_family(const std::string& directory) {
  engine::prepare_inference_thread(started_.engine.onednn);  // whoever's thread this is, it warms the runners
  auto family = families_.load(directory);
  announce(family);
  return family;
}

Result<std::shared_ptr<const LoadedFamily>> Runtime::adopt_family(std::shared_ptr<const engine::Family> family) {
  auto adopted = families_.adopt(std::move(family));
  announce(adopted);
  return adopted;
}

void Runtime::announce(const Result<std::shared_ptr<const LoadedFamily>>& family) const {
  if (!family) {
    spdlog::warn("family not loaded: {}", family.error().message);
    return;
  }
  const auto& levels = (*family)->family->levels();
  spdlog::info("family '{}' loaded: {} levels, {:.1f} MB resident", (*family)->name, levels.size(),
               static_cast<double>((*family)->family->resident_bytes()) / 1e6);
  for (const std::string& remark : (*family)->family->remarks()) spdlog::warn("family '{}': {}", (*family)->name, remark);
  if (RuntimeListener* listener = listener_) listener->family_loaded(*family);
}

void Runtime::load_configured_families() {
  const auto names = options_.families.load.empty() ? find_families(options_.families.roots) : options_.families.load;
  for (const std::string& name : names) (void)load_family(name);  // logged there; the others go on
  if (families_.all().empty()) spdlog::warn("no family is loaded: add one beneath {}", options_.families.roots.front());
}

std::vector<std::shared_ptr<const LoadedFamily>> Runtime::families() const {
  const auto all = families_.all();
  return {all.begin(), all.end()};
}

Result<void> Runtime::unload_family(const std::string& name, bool force) {
  const auto family = families_.find(name);
  if (!family) return Error{ErrorCode::kNotFound, "no family '" + name + "' is loaded"};
  const auto uses = [&](const Session& session) { return &session.family() == family.get(); };
  if (!force) {
    const auto all = sessions();
    const auto users = std::count_if(all.begin(), all.end(), [&](const auto& session) { return uses(*session); });
    if (users > 0) {
      return Error{ErrorCode::kBusy, std::to_string(users) + " sessions use the family '" + name + "'"};
    }
  }
  families_.remove(name);
  close_matching("family unloaded", uses);
  spdlog::info("family '{}' unloaded", name);
  if (RuntimeListener* listener = listener_) listener->family_unloaded(name);
  return {};
}

Result<void> Runtime::check_limits(const SessionRequest& request) const {
  if (stopping_) return Error{ErrorCode::kNotReady, "the service is stopping"};
  const auto& limits = options_.limits;
  if (sessions_.size() >= limits.sessions) {
    return Error{ErrorCode::kResourceExhausted,
                 "limits.sessions: " + std::to_string(limits.sessions) + " sessions are open"};
  }
  const auto of_user = std::count_if(sessions_.begin(), sessions_.end(), [&](const auto& entry) {
    return entry.second->identity().uid == request.uid;
  });
  if (of_user >= limits.sessions_per_uid) {
    return Error{ErrorCode::kResourceExhausted,
                 "limits.sessions_per_uid: this user has " + std::to_string(of_user) + " sessions open"};
  }
  return {};
}

Result<std::shared_ptr<Session>> Runtime::open_session(SessionRequest request) {
  if (auto named = check_application(request.application); !named) return named.error();
  const auto family = families_.find(request.family);
  if (!family) return Error{ErrorCode::kNotFound, "no family '" + request.family + "' is loaded"};
  const std::lock_guard lock(mutex_);
  if (auto room = check_limits(request); !room) return room.error();
  const auto opened = scheduler_.open(request.contract, family->profile());
  if (!opened) return opened.error();
  SessionIdentity identity{next_session_++, request.owner, request.uid, request.application};
  auto session = std::make_shared<Session>(std::move(identity), *opened, family, scheduler_);
  scheduler_.attach(session);
  sessions_.emplace(session->identity().id, session);
  spdlog::debug("session {} of '{}' opened on '{}'", session->identity().id, request.application, request.family);
  return session;
}

Result<void> Runtime::set_contract(const std::shared_ptr<Session>& session, const policy::Contract& contract) {
  return scheduler_.change(*session, contract);  // the control loop tells of another level
}

void Runtime::close_session(const std::shared_ptr<Session>& session, const std::string& reason) {
  if (!session->close()) return;
  {
    const std::lock_guard lock(mutex_);
    sessions_.erase(session->identity().id);
  }
  for (Frame* frame : scheduler_.close(*session)) end_frame(*frame, {ErrorCode::kCancelled, "the session was closed"});
  spdlog::debug("session {} closed: {}", session->identity().id, reason);
  if (RuntimeListener* listener = listener_) listener->session_closed(*session, reason);
}

void Runtime::close_matching(const std::string& reason, const std::function<bool(const Session&)>& matches) {
  for (const auto& session : sessions()) {
    if (matches(*session)) close_session(session, reason);
  }
}

void Runtime::owner_gone(const std::string& owner) {
  close_matching("owner gone", [&](const Session& session) { return session.identity().owner == owner; });
}

std::vector<std::shared_ptr<Session>> Runtime::sessions() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Session>> all;
  for (const auto& [id, session] : sessions_) all.push_back(session);
  return all;
}

Result<void> Runtime::submit(const std::shared_ptr<Session>& session, Frame& frame) {
  if (session->closed()) return Error{ErrorCode::kCancelled, "the session is closed"};
  frame.arrival_us = now_us();
  frame.session = session;
  auto submitted = scheduler_.submit(frame, limits().queue);
  if (!submitted) frame.session.reset();
  return submitted;
}

void Runtime::tick(std::int64_t now) {
  const Watcher::Update update = watcher_.update(now);
  if (update.suspended) {
    spdlog::info("the machine or the service stood still; what was learnt of its speed is forgotten");
    scheduler_.suspended(now);
  }
  scheduler_.load(kCpu, update.expected_slowdown, now);
  if (now - planned_us_ >= kPlanPeriodUs) {
    planned_us_ = now;
    for (SessionChange& change : scheduler_.plan(now)) {
      Told& told = told_of(*change.session);
      if (change.level_changed) told.reason = change.reason;
      if (change.unmet || change.met_again) told.unmet = change.unmet ? std::optional(std::move(change)) : std::nullopt;
    }
    const auto open = sessions();
    std::erase_if(told_, [&](const auto& entry) {
      return std::none_of(open.begin(), open.end(), [&](const auto& s) { return s->identity().id == entry.first; });
    });
    for (const auto& session : open) tell(*session, now);
  }
  refine_profiles(now);
}

Runtime::Told& Runtime::told_of(const Session& session) {
  const auto [at, fresh] = told_.try_emplace(session.identity().id);
  if (fresh) at->second.level = session.first_level;
  return at->second;
}

/// Tells what differs from what was told last, each kind at its own rate: what is held back now is told later if it is
/// still true.
void Runtime::tell(const Session& session, std::int64_t now) {
  Told& told = told_of(session);
  RuntimeListener* const listener = listener_;
  if (listener == nullptr) return;
  if (session.level() != told.level && now - told.level_us >= kLevelPeriodUs) {
    const std::uint32_t from = std::exchange(told.level, session.level());
    told.level_us = now;
    listener->subnet_changed(session, from, std::exchange(told.reason, "contract changed"));
  }
  if (told.unmet && now - told.unmet_us >= kUnmetPeriodUs) {
    told.unmet_us = now;
    listener->contract_unmet(session, told.unmet->reason, told.unmet->nearest);
    told.unmet.reset();
  }
}

void Runtime::refine_profiles(std::int64_t now) {
  if (now - refined_us_ < kRefinePeriodUs || !watcher_.quiet(now) || scheduler_.waiting() != 0) return;
  refined_us_ = now;
  for (const auto& family : families_.all()) {
    if (family->provisional() && !family->refining.exchange(true)) return refine(family);
  }
}

/// One idle task a run on the first lane, so that a frame waits for at most one; the last one puts the new profile in
/// force, provided that the machine stayed quiet all along.
void Runtime::refine(const std::shared_ptr<LoadedFamily>& family) {
  const auto levels = static_cast<std::uint32_t>(family->family->levels().size());
  const auto samples = std::make_shared<std::vector<std::vector<double>>>(levels);
  for (std::uint32_t i = 0; i < levels * kProfileRounds; ++i) {
    scheduler_.when_idle(0, [this, family, samples, level = i % levels] {
      if (!watcher_.quiet(now_us())) return;
      if (const auto run = measure(*family->runners.front(), level, 1)) (*samples)[level].push_back(run->median_us);
    });
  }
  scheduler_.when_idle(0, [this, family, samples] { finish_refining(family, *samples); });
}

void Runtime::finish_refining(const std::shared_ptr<LoadedFamily>& family, const std::vector<std::vector<double>>& samples) {
  family->refining = false;
  std::vector<double> latency_us;
  for (std::vector<double> runs : samples) {
    if (runs.size() < kProfileRounds) return;  // disturbed: the next quiet moment tries again
    std::nth_element(runs.begin(), runs.begin() + kProfileRounds / 2, runs.end());
    latency_us.push_back(runs[kProfileRounds / 2]);
  }
  const auto profile = std::make_shared<policy::FamilyProfile>(make_profile(*family->family, latency_us));
  family->set_profile(profile, false);
  for (const auto& session : sessions()) {
    if (&session->family() == family.get()) scheduler_.set_profile(*session, profile);
  }
  if (auto kept = keeper_.keep(*family->family, latency_us); !kept) {
    spdlog::warn("the profile is not kept: {}, ignoring", kept.error().message);
  }
  spdlog::info("family '{}' profiled on a quiet machine", family->name);
  if (RuntimeListener* listener = listener_) listener->family_profiled(family->name);
}

std::vector<std::string> Runtime::reconfigure(const config::ServiceOptions& options) {
  const std::lock_guard lock(mutex_);
  options_ = options;
  families_.configure(options.families, options.limits.families);
  return config::keys_needing_restart(started_, options);
}

config::LimitOptions Runtime::limits() const {
  const std::lock_guard lock(mutex_);
  return options_.limits;
}

std::vector<ProcessorStatus> Runtime::processors() const {
  return {{"cpu", lane_count_, scheduler_.waiting(), scheduler_.slowdown(kCpu), engine::kernels::simd_target(),
           watcher_.reading()}};
}

bool Runtime::healthy(std::int64_t now) const {
  std::int64_t allowed_us = 0;
  {
    const std::lock_guard lock(mutex_);
    allowed_us = options_.control.stuck_after_s * 1'000'000LL;
  }
  return std::none_of(lanes_.begin(), lanes_.end(), [&](const auto& lane) {
    const std::int64_t since = lane->busy_since_us();
    return since != 0 && now - since > allowed_us;
  });
}

void Runtime::shut_down() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  close_matching("service stopping", [](const Session&) { return true; });
  // The lanes finish the frame they run: its answer goes out while there is still somebody to send it.
  scheduler_.stop();
  lanes_.clear();
  for (Frame* frame : scheduler_.take_back()) end_frame(*frame, {ErrorCode::kCancelled, "the service is stopping"});
}

}  // namespace dofa::control

// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/runtime.hpp"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "daemon/control/actuators.hpp"
#include "daemon/control/family_files.hpp"
#include "daemon/engine/thread.hpp"

namespace dofa::control {
namespace {

constexpr std::size_t kMaxApplicationBytes = 256;  // 64 characters of at most 4 bytes

std::uint32_t count_lanes(std::uint32_t configured) {
  if (configured != 0) return configured;
  return std::max(1U, std::max(1U, std::thread::hardware_concurrency()) - 1);
}

engine::LoadOptions load_options(const config::EngineOptions& options) {
  return {.gpus = options.gpus,
          .gpu_precision =
              options.gpu_precision == "float" ? engine::GpuPrecision::kFloat : engine::GpuPrecision::kHalf};
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

void add(FrameTotals& totals, const policy::SessionStats& stats) {
  totals.frames += stats.frames();
  totals.missed += stats.missed();
  totals.dropped += stats.drops();
  totals.switches += stats.switches();
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
      processors_(count_lanes(options_.lanes.cpu), environment.gpus),
      queue_limit_(options_.limits.queue),
      keeper_{options_.families.profiles,
              machine_fingerprint(environment.root, processors_[kCpu].lanes, environment.version,
                                  environment.gpus, options_.engine.gpu_precision)},
      families_(options_.families, load_options(options_.engine), options_.limits.families, processors_,
                std::move(environment.verifier), keeper_),
      watcher_(environment.root, processors_),
      scheduler_(processors_.specs(),
                 static_cast<std::size_t>(options_.limits.sessions) * options_.limits.queue,
                 std::move(environment.hurry)),
      gpus_(processors_, scheduler_, families_, keeper_,
            [this](const auto& family) { publish_profile(family); }),
      refiner_(processors_, scheduler_, families_, watcher_, keeper_,
               [this](const auto& family) { publish_profile(family); }) {
  try {
    for (std::uint32_t lane = 0; lane < processors_.lane_count(); ++lane)
      lanes_.push_back(std::make_unique<Lane>(lane_setup(lane), scheduler_));
  } catch (...) {  // no thread to be had: those that run already would wait for work for ever
    scheduler_.stop();
    throw;
  }
}

LaneSetup Runtime::lane_setup(std::uint32_t lane) {
  const std::uint32_t p = processors_.of_lane(lane);
  const std::string& name = processors_[p].name;
  LaneSetup setup;
  setup.index = lane;
  setup.processor = name;
  if (p == kCpu) {
    setup.thread = "lane-cpu-" + std::to_string(lane);
    setup.prepare_thread = [this, lane, options = options_] {
      engine::prepare_inference_thread(options.engine.onednn);
      watcher_.add_worker(gettid());
      for (const std::string& refused : apply_actuators(options.lanes, lane))
        spdlog::warn("{}, ignoring", refused);
    };
    return setup;
  }
  setup.thread = "lane-" + name;
  std::replace(setup.thread.begin(), setup.thread.end(), ':', '-');
  setup.thread.resize(std::min<std::size_t>(setup.thread.size(), 15));  // the kernel's limit
  setup.prepare_thread = [onednn = options_.engine.onednn] { engine::prepare_inference_thread(onednn); };
  setup.end_thread = [this, p] { gpus_.withdraw(p); };
  setup.lost = [this, p](const Error& error, std::span<Frame* const> frames) {
    gpus_.lost(p, error, frames);
  };
  spdlog::info("{} runs frames: {}", name, processors_[p].gpu->model);
  return setup;
}

Runtime::~Runtime() {
  shut_down();
}

void Runtime::set_listener(RuntimeListener* listener) {
  listener_ = listener;
}

Result<std::shared_ptr<const LoadedFamily>> Runtime::load_family(const std::string& directory) {
  engine::prepare_inference_thread(started_.engine.onednn);  // whoever's thread this is, it warms the runners
  auto family = families_.load(directory);
  if (family) gpus_.attach_families();
  announce(family);
  return family;
}

Result<std::shared_ptr<const LoadedFamily>> Runtime::adopt_family(
    std::shared_ptr<const engine::Family> family) {
  auto adopted = families_.adopt(std::move(family));
  if (adopted) gpus_.attach_families();
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
  for (const std::string& remark : (*family)->family->remarks())
    spdlog::warn("family '{}': {}", (*family)->name, remark);
  if (RuntimeListener* listener = listener_) listener->family_loaded(*family);
}

void Runtime::load_configured_families(const std::function<void(const std::string&)>& starting) {
  const auto names =
      options_.families.load.empty() ? find_families(options_.families.roots) : options_.families.load;
  for (const std::string& name : names) {
    if (starting) starting(name);
    (void)load_family(name);  // logged there; the others go on
  }
  if (families_.all().empty())
    spdlog::warn("no family is loaded: add one beneath {}", options_.families.roots.front());
}

std::vector<std::shared_ptr<const LoadedFamily>> Runtime::families() const {
  const auto all = families_.all();
  return {all.begin(), all.end()};
}

Result<void> Runtime::unload_family(const std::string& name, bool force) {
  std::shared_ptr<LoadedFamily> family;
  const auto uses = [&](const Session& session) { return &session.family() == family.get(); };
  {
    const std::lock_guard lock(mutex_);  // nobody opens a session on it after it was found unused
    family = families_.find(name);
    if (!family) return Error{ErrorCode::kNotFound, "no family '" + name + "' is loaded"};
    const auto users = std::count_if(sessions_.begin(), sessions_.end(),
                                     [&](const auto& entry) { return uses(*entry.second); });
    if (users > 0 && !force)
      return Error{ErrorCode::kBusy, std::to_string(users) +
                                         (users == 1 ? " session uses" : " sessions use") + " the family '" +
                                         name + "'"};
    families_.remove(name);
  }
  close_matching("family unloaded", uses);
  gpus_.detach(family);
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
  const std::lock_guard lock(mutex_);
  const auto family = families_.find(request.family);
  if (!family) return Error{ErrorCode::kNotFound, "no family '" + request.family + "' is loaded"};
  if (auto room = check_limits(request); !room) return room.error();
  const auto opened = scheduler_.open(request.contract, family->profile());
  if (!opened) return opened.error();
  SessionIdentity identity{next_session_++, request.owner, request.uid, request.application};
  auto session = std::make_shared<Session>(std::move(identity), *opened, family, scheduler_);
  scheduler_.attach(session);
  sessions_.emplace(session->identity().id, session);
  spdlog::debug("session {} of '{}' opened on '{}'", session->identity().id, request.application,
                request.family);
  return session;
}

Result<void> Runtime::set_contract(const std::shared_ptr<Session>& session,
                                   const policy::Contract& contract) {
  return scheduler_.change(*session, contract);  // the control loop tells of another level
}

void Runtime::close_session(const std::shared_ptr<Session>& session, const std::string& reason) {
  {
    const std::lock_guard lock(mutex_);                   // totals() counts it open or closed, never neither
    const policy::SessionStats stats = session->stats();  // a closed session has none
    if (!session->close(reason)) return;
    add(closed_totals_, stats);
    sessions_.erase(session->identity().id);
  }
  for (Frame* frame : scheduler_.close(*session))
    end_frame(*frame, {ErrorCode::kCancelled, "the session was closed"});
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
  auto submitted = scheduler_.submit(frame, queue_limit_.load(std::memory_order_relaxed));
  if (!submitted) frame.session.reset();
  return submitted;
}

std::vector<std::string> Runtime::reconfigure(const config::ServiceOptions& options) {
  const std::lock_guard lock(mutex_);
  options_ = options;
  queue_limit_ = options.limits.queue;
  families_.configure(options.families, options.limits.families);
  return config::keys_needing_restart(started_, options);
}

config::LimitOptions Runtime::limits() const {
  const std::lock_guard lock(mutex_);
  return options_.limits;
}

FrameTotals Runtime::totals() const {
  const std::lock_guard lock(mutex_);
  FrameTotals totals = closed_totals_;
  for (const auto& [id, session] : sessions_) add(totals, session->stats());
  return totals;
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
  for (Frame* frame : scheduler_.take_back())
    end_frame(*frame, {ErrorCode::kCancelled, "the service is stopping"});
}

}  // namespace dofa::control

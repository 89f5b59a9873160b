// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/runtime.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "daemon/control/family_files.hpp"
#include "daemon/engine/thread.hpp"

namespace dofa::control {
namespace {

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

Runtime::Runtime(config::ServiceOptions options, Verifier verifier)
    : options_(std::move(options)),
      lane_count_(count_lanes(options_.lanes.cpu)),
      families_(options_.families, options_.limits.families, lane_count_, std::move(verifier)) {
  const bool onednn = options_.engine.onednn;
  engine::prepare_inference_thread(onednn);  // this one loads families and warms their runners
  const std::size_t capacity = static_cast<std::size_t>(options_.limits.sessions) * options_.limits.queue;
  for (std::uint32_t index = 0; index < lane_count_; ++index) {
    lanes_.push_back(std::make_unique<Lane>(index, capacity, [onednn] { engine::prepare_inference_thread(onednn); }));
  }
}

Runtime::~Runtime() { shut_down(); }

void Runtime::set_listener(RuntimeListener* listener) {
  const std::lock_guard lock(mutex_);
  listener_ = listener;
}

Result<std::shared_ptr<const LoadedFamily>> Runtime::load_family(const std::string& directory) {
  auto family = families_.load(directory);
  if (!family) {
    spdlog::warn("family not loaded: {}", family.error().message);
    return family;
  }
  const auto& levels = (*family)->family->levels();
  spdlog::info("family '{}' loaded: {} levels, {:.1f} MB resident", (*family)->name, levels.size(),
               static_cast<double>((*family)->family->resident_bytes()) / 1e6);
  if (listener_ != nullptr) listener_->family_loaded(*family);
  return family;
}

void Runtime::load_configured_families() {
  const auto names = options_.families.load.empty() ? find_families(options_.families.roots) : options_.families.load;
  for (const std::string& name : names) (void)load_family(name);  // logged there; the others go on
  if (families_.all().empty()) spdlog::warn("no family is loaded: add one beneath {}", options_.families.roots.front());
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
  if (listener_ != nullptr) listener_->family_unloaded(name);
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

std::uint32_t Runtime::quietest_lane() const {
  std::vector<std::uint32_t> users(lane_count_, 0);
  for (const auto& [id, session] : sessions_) ++users[session->identity().lane];
  return static_cast<std::uint32_t>(std::min_element(users.begin(), users.end()) - users.begin());
}

Result<std::shared_ptr<Session>> Runtime::open_session(SessionRequest request) {
  if (auto named = check_application(request.application); !named) return named.error();
  const auto family = families_.find(request.family);
  if (!family) return Error{ErrorCode::kNotFound, "no family '" + request.family + "' is loaded"};
  if (auto valid = policy::validate(request.contract, facts_of(*family->family)); !valid) return valid.error();
  const std::lock_guard lock(mutex_);
  if (auto room = check_limits(request); !room) return room.error();
  SessionIdentity identity{next_session_++, request.owner, request.uid, request.application, quietest_lane()};
  auto session = std::make_shared<Session>(std::move(identity), family, std::move(request.contract));
  sessions_.emplace(session->identity().id, session);
  spdlog::debug("session {} of '{}' opened on '{}'", session->identity().id, request.application, request.family);
  return session;
}

Result<void> Runtime::set_contract(Session& session, const policy::Contract& contract) {
  if (auto valid = policy::validate(contract, facts_of(*session.family().family)); !valid) return valid.error();
  const std::uint32_t before = session.level();
  session.set_contract(contract);
  if (listener_ != nullptr && session.level() != before) listener_->subnet_changed(session, before, "contract changed");
  return {};
}

void Runtime::close_session(const std::shared_ptr<Session>& session, const std::string& reason) {
  if (!session->close()) return;
  {
    const std::lock_guard lock(mutex_);
    sessions_.erase(session->identity().id);
  }
  lanes_[session->identity().lane]->cancel(*session);
  spdlog::debug("session {} closed: {}", session->identity().id, reason);
  if (listener_ != nullptr) listener_->session_closed(*session, reason);
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
  if (auto admitted = session->admit(frame, limits().queue); !admitted) return admitted;
  frame.session = session;
  lanes_[session->identity().lane]->submit(frame);
  return {};
}

std::vector<std::string> Runtime::reconfigure(const config::ServiceOptions& options) {
  const std::lock_guard lock(mutex_);
  auto restart = config::keys_needing_restart(options_, options);
  options_ = options;
  families_.configure(options.families, options.limits.families);
  return restart;
}

config::LimitOptions Runtime::limits() const {
  const std::lock_guard lock(mutex_);
  return options_.limits;
}

std::vector<ProcessorStatus> Runtime::processors() const {
  ProcessorStatus cpu{"cpu", lane_count_, 0};
  for (const auto& lane : lanes_) cpu.queue += lane->waiting();
  return {cpu};
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
}

}  // namespace dofa::control

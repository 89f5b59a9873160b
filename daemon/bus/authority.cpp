// SPDX-License-Identifier: Apache-2.0
#include "daemon/bus/authority.hpp"

#include <utility>
#include <vector>

namespace dofa::bus {

namespace {

constexpr std::uint32_t kAllowUserInteraction = 1;  // polkit's CheckAuthorizationFlags

Error refused(const Right& right, const std::string& why) {
  return {ErrorCode::kNotAuthorized, std::string(right.what) + " is for administrators" + why};
}

}  // namespace

/// org.freedesktop.PolicyKit1.Authority, as its documentation has it.
class Authority::Polkit {
 public:
  explicit Polkit(sdbus::IConnection& connection)
      : proxy_(sdbus::createProxy(connection, proto::BusName{"org.freedesktop.PolicyKit1"},
                                  sdbus::ObjectPath{"/org/freedesktop/PolicyKit1/Authority"})) {}

  /// Throws sdbus::Error where the question cannot even be asked; then `answered` is never called.
  void ask(const Caller& caller, const Right& right, std::chrono::microseconds patience,
           std::function<void(const Result<void>&)> answered) {
    using Details = std::map<std::string, std::string>;
    using Subject = sdbus::Struct<std::string, std::map<std::string, sdbus::Variant>>;
    // By its bus name: a process could have become another's by the time its id is looked up.
    const Subject subject{std::string("system-bus-name"),
                          std::map<std::string, sdbus::Variant>{{"name", sdbus::Variant{caller.name}}}};
    proxy_->callMethodAsync("CheckAuthorization")
        .onInterface("org.freedesktop.PolicyKit1.Authority")
        .withTimeout(patience)
        .withArguments(subject, std::string(right.action), Details{}, kAllowUserInteraction, std::string())
        .uponReplyInvoke([right, answered = std::move(answered)](
                             proto::ReplyError error, const sdbus::Struct<bool, bool, Details>& answer) {
          if (error) return answered(refused(right, ": polkit says " + error->getMessage()));
          if (!std::get<0>(answer)) return answered(refused(right, ""));
          answered({});
        });
  }

 private:
  std::unique_ptr<sdbus::IProxy> proxy_;
};

Authority::Authority(const std::function<std::unique_ptr<sdbus::IConnection>()>& connect,
                     std::chrono::microseconds patience)
    : patience_(patience) {
  if (!connect) return;
  try {
    connection_ = connect();
    polkit_ = std::make_unique<Polkit>(*connection_);
  } catch (const sdbus::Error& error) {
    spdlog::warn("polkit cannot be reached: {}; only root and this service's user are administrators",
                 error.what());
    return;
  }
  teller_ = std::thread([this] { tell_decisions(); });
  loop_ = std::thread([this] {
    try {
      connection_->enterEventLoop();
    } catch (const std::exception&) {
      // The bus has gone, and the service with it.
    }
  });
}

Authority::~Authority() {
  if (loop_.joinable()) {
    connection_->leaveEventLoop();
    loop_.join();
  }
  polkit_.reset();  // no answer comes any more
  if (teller_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
    teller_.join();
  }
  for (const auto& [id, decided] : std::exchange(pending_, {})) {
    decided(Error{ErrorCode::kNotReady, "the service is stopping"});
  }
}

void Authority::check(const Caller& caller, const Right& right, Decided decided) {
  if (is_own_administrator(caller)) return decided({});
  if (!polkit_) return decided(refused(right, ""));
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (pending_.size() < kMostPending) pending_.emplace(id = ++next_, std::move(decided));
  }
  if (id == 0) {
    return decided(Error{ErrorCode::kResourceExhausted,
                         std::to_string(kMostPending) + " requests wait for polkit already"});
  }
  try {
    polkit_->ask(caller, right, patience_, [this, id](const Result<void>& answer) { decide(id, answer); });
  } catch (const sdbus::Error& error) {
    decide(id, refused(right, ": " + error.getMessage()));
  }
}

void Authority::decide(std::uint64_t id, const Result<void>& decision) {
  {
    const std::lock_guard lock(mutex_);
    decisions_.emplace_back(id, decision);
  }
  changed_.notify_one();
}

void Authority::tell_decisions() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !decisions_.empty(); });
    if (decisions_.empty()) return;
    const auto [id, decision] = std::move(decisions_.front());
    decisions_.pop_front();
    auto pending = pending_.extract(id);
    if (pending.empty()) continue;
    lock.unlock();
    pending.mapped()(decision);
    pending = {};  // what it holds of the bus goes without the lock
    lock.lock();
  }
}

}  // namespace dofa::bus

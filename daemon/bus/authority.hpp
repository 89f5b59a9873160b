// SPDX-License-Identifier: Apache-2.0
// Who may do what only administrators may: root and the service's own user always, others as polkit decides
// (systemd/org.dofa.Dofa1.policy). polkit is asked over a connection of its own, without waiting: it may take
// as long as a person needs for a password. Where there is no polkit, nobody else may. Thread-safe.
//
// Two connections, two locks: sd-bus's are held during callbacks. The bus thread asks polkit with its own
// held; so whoever tells the answer, which takes that one to reply, must not hold polkit's: a thread of its
// own does.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "daemon/bus/caller.hpp"
#include "daemon/bus/guard.hpp"
#include "proto/compat.hpp"

namespace dofa::bus {

/// What an administrator may do: polkit's action, and its words for a refusal.
struct Right {
  const char* action;
  const char* what;
};
inline constexpr Right kLoadFamily{"org.dofa.Dofa1.manage-families", "loading a family"};
inline constexpr Right kUnloadFamily{"org.dofa.Dofa1.manage-families", "unloading a family"};
inline constexpr Right kProfileFamily{"org.dofa.Dofa1.manage-families", "profiling a family"};
inline constexpr Right kReload{"org.dofa.Dofa1.reload", "reloading"};
inline constexpr Right kSetContract{"org.dofa.Dofa1.manage-sessions", "another's contract"};
inline constexpr Right kCloseSession{"org.dofa.Dofa1.manage-sessions", "closing another's session"};

class Authority {
 public:
  using Decided = std::function<void(const Result<void>&)>;
  static constexpr std::chrono::minutes kPatience{2};  // for a person to answer polkit's question
  static constexpr std::size_t kMostPending = 64;

  /// `connect` makes polkit's connection (null or throwing: without polkit).
  explicit Authority(const std::function<std::unique_ptr<sdbus::IConnection>()>& connect,
                     std::chrono::microseconds patience = kPatience);
  ~Authority();  ///< decides what is still pending: kNotReady
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  /// Calls `decided` exactly once: with nothing, kNotAuthorized, or kResourceExhausted where too many ask at
  /// once. At once, on this thread, where polkit need not be asked; else on a thread of ours, which it must
  /// not hold up.
  void check(const Caller& caller, const Right& right, Decided decided);

 private:
  class Polkit;
  void decide(std::uint64_t id, const Result<void>& decision);
  void tell_decisions();

  const std::chrono::microseconds patience_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Decided> pending_;
  std::deque<std::pair<std::uint64_t, Result<void>>> decisions_;  ///< not told yet
  std::uint64_t next_ = 0;
  bool stopping_ = false;
  std::unique_ptr<sdbus::IConnection> connection_;
  std::unique_ptr<Polkit> polkit_;
  std::thread loop_;
  std::thread teller_;
};

/// Runs `act` once the caller of the method that `object` handles is found to have `right`; what goes wrong
/// on either way becomes the reply. On the bus thread only; `act` as Authority::check() says.
template <class Reply, class Act>
void as_administrator(Authority& authority, const sdbus::IObject& object, const Right& right,
                      const char* member, const std::shared_ptr<Reply>& reply, Act act) {
  guard_async(member, *reply, [&] {
    authority.check(caller_of(object), right,
                    [member, reply, act = std::move(act)](const Result<void>& allowed) {
                      guard_async(member, *reply, [&] {
                        require(allowed);
                        act();
                      });
                    });
  });
}

/// A reply that outlives its call. Shared, because std::function must be copyable.
template <class... T>
std::shared_ptr<sdbus::Result<T...>> keep(sdbus::Result<T...>&& reply) {
  return std::make_shared<sdbus::Result<T...>>(std::move(reply));
}

}  // namespace dofa::bus

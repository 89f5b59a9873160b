// SPDX-License-Identifier: Apache-2.0
// The inside of Session: the proxy of its object, its handlers, its stream, and the way back after the
// service was restarted. Thread-safe as Session. Recovery runs on the handlers' thread, behind the gate.
#pragma once

#include <dofa/client.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "client/lib/connection.hpp"
#include "client/lib/presence.hpp"
#include "client/lib/session_proxy.hpp"
#include "client/lib/stream.hpp"

namespace dofa::client {

/// What it takes to open a session again.
struct SessionWish {
  std::string application;
  std::string family;
  Contract contract;
};

class SessionCore : public std::enable_shared_from_this<SessionCore> {
 public:
  SessionCore(std::shared_ptr<Connection> connection, SessionHandlers handlers)
      : connection_(std::move(connection)), handlers_(std::move(handlers)) {}

  /// One of the two comes first. Both throw sdbus::Error.
  void open(SessionWish wish);
  /// A handle on another's session; nothing is heard of it, and it is not closed.
  void adopt(const std::string& path);
  /// Asks for the end of an own session. Afterwards no handler runs, and nothing of the bus is held.
  void stop();

  [[nodiscard]] std::shared_ptr<SessionProxy> proxy() const;
  [[nodiscard]] std::string id() const;
  [[nodiscard]] const std::shared_ptr<Connection>& connection() const { return connection_; }
  [[nodiscard]] const std::shared_ptr<Gate>& gate() const { return gate_; }

  void set_contract(const Contract& changes);
  void close();
  std::shared_ptr<StreamCore> open_stream(const StreamOptions& options);

 private:
  /// Runs `task` on the handlers' thread, unless the session object has gone by then.
  template <class Task>
  void later(Task task, std::chrono::milliseconds delay = {});
  void use(const std::string& path, std::string service);
  void connect_stream(StreamCore& stream);
  /// No session any more, and none will follow.
  void end(const std::string& reason);
  [[nodiscard]] bool is_over() const;
  // These on the handlers' thread:
  void service_changed(const std::string& old_owner, const std::string& new_owner);
  void reopen(std::uint64_t attempt, int tries_left);
  /// What to open, unless there is a session.
  [[nodiscard]] std::optional<SessionWish> unfulfilled() const;
  SessionProxy::Signals signals();

  std::shared_ptr<Connection> connection_;
  const SessionHandlers handlers_;
  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  std::unique_ptr<PresenceProxy> presence_;  ///< of own sessions
  std::uint64_t attempt_ = 0;                ///< the handlers' thread's: which reopening is under way

  std::mutex opening_;  ///< held while a session or stream is opened; taken before mutex_
  mutable std::mutex mutex_;
  std::shared_ptr<SessionProxy> proxy_;
  std::string path_;
  std::string service_;  ///< unique name of the service that has the session; empty = lost
  SessionWish wish_;
  bool over_ = false;
  std::weak_ptr<StreamCore> stream_;
};

struct Session::Impl {
  explicit Impl(std::shared_ptr<SessionCore> its_core) : core(std::move(its_core)) {}
  ~Impl() { core->stop(); }
  std::shared_ptr<SessionCore> core;
};

}  // namespace dofa::client

// SPDX-License-Identifier: Apache-2.0
// The proxy of one session object of the service, with frames on their way. Thread-safe.
#pragma once

#include <dofa/client.hpp>

#include <chrono>
#include <functional>
#include <string>

#include "client/lib/values.hpp"
#include "dbus/session_proxy.hpp"
#include "proto/compat.hpp"

namespace dofa::client {

/// Receives what becomes of one frame. Called once, on the bus's thread or, where the session goes first, on
/// the thread that destroys it: it must be short and must not make calls.
using Receiver = std::function<void(Outcome&&)>;

class SessionProxy final : public sdbus::ProxyInterfaces<org::dofa::Dofa1::Session_proxy> {
 public:
  struct Signals {
    std::function<void(const SubnetChange&)> subnet_changed;
    std::function<void(const std::string& reason, const client::Contract& nearest)> contract_unmet;
    std::function<void(const std::string& reason)> closed;
  };
  /// `signals` run on the bus's thread. They are subscribed to only where `listen` says so.
  SessionProxy(sdbus::IConnection& connection, const std::string& path, Signals signals, bool listen);
  ~SessionProxy();

  /// Asks for the session's end without waiting for it.
  void close_soon();
  /// All properties of the session.
  Dictionary properties();

  /// Sends one frame; throws sdbus::Error (and never calls `receiver`) where that fails.
  void send(const Frame& frame, const InferOptions& options, std::chrono::microseconds timeout,
            Receiver receiver);

 private:
  void onSubnetChanged(const std::string& from, const std::string& to, const std::string& processor,
                       const std::string& reason) override;
  void onContractUnmet(const std::string& reason,
                       const std::map<std::string, sdbus::Variant>& nearest) override;
  void onClosed(const std::string& reason) override;

  Signals signals_;
};

}  // namespace dofa::client

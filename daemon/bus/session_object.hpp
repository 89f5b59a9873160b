// SPDX-License-Identifier: Apache-2.0
// A session on the bus: translation only. Methods run on the bus thread; announce…() may be called from any
// thread.
#pragma once

#include <memory>
#include <string>
#include <tuple>

#include "daemon/bus/authority.hpp"
#include "daemon/bus/pinned_memory.hpp"
#include "daemon/bus/replies.hpp"
#include "daemon/bus/values.hpp"
#include "daemon/control/runtime.hpp"
#include "daemon/control/stream_gate.hpp"
#include "dbus/session_adaptor.hpp"

namespace dofa::bus {

/// What all sessions' Infer calls share.
struct InferParts {
  std::shared_ptr<PinnedMemory> pinned;
  std::shared_ptr<Replies> replies;
};

class SessionObject final
    : public sdbus::AdaptorInterfaces<org::dofa::Dofa1::Session_adaptor, sdbus::ManagedObject_adaptor>,
      public std::enable_shared_from_this<SessionObject> {
 public:
  using Adaptor = org::dofa::Dofa1::Session_adaptor;
  /// Arrival, queue and service µs, level, outcome.
  using FrameTuple = sdbus::Struct<std::uint64_t, std::uint32_t, std::uint32_t, std::uint32_t, std::uint8_t>;
  using InferReply = sdbus::Result<std::vector<sdbus::Struct<std::uint32_t, double>>, Dictionary>;

  SessionObject(sdbus::IConnection& connection, control::Runtime& runtime, control::StreamGate& streams,
                Authority& authority, InferParts parts, std::shared_ptr<control::Session> session);
  ~SessionObject();

  static std::string path_of(const control::Session& session);

  void announce_subnet(std::uint32_t from, const std::string& reason);
  /// An empty dictionary where no contract could be kept.
  void announce_unmet(const std::string& reason, const std::optional<policy::Contract>& nearest);
  void announce_closed(const std::string& reason);

 private:
  void SetContract(sdbus::Result<>&& reply, Dictionary changes) override;
  void Infer(InferReply&& reply, sdbus::UnixFd frame, Dictionary format) override;
  std::tuple<sdbus::UnixFd, sdbus::UnixFd> OpenStream(const Dictionary& format) override;
  std::tuple<std::uint64_t, std::vector<FrameTuple>> RecentFrames(const std::uint64_t& after) override;
  void Close(sdbus::Result<>&& reply) override;

  std::string Application() override;
  std::string Owner() override;
  sdbus::ObjectPath Family() override;
  Dictionary Contract() override;
  std::string Subnet() override;
  std::uint32_t Level() override;
  std::string Processor() override;
  double Accuracy() override;
  std::uint64_t ExpectedLatency() override;
  std::uint64_t Frames() override;
  std::uint64_t MissedDeadlines() override;
  std::uint64_t Dropped() override;
  double Attainment() override;
  Dictionary Statistics() override;

  /// Runs `act` for the owner at once, for others when they are found to have `right`.
  template <class Act>
  void as_owner_or(const Right& right, const char* member, sdbus::Result<>&& reply, Act act);
  [[nodiscard]] bool caller_is_owner() const;
  [[nodiscard]] const engine::LevelInfo& level_info(std::uint32_t level) const;

  control::Runtime& runtime_;
  control::StreamGate& streams_;
  Authority& authority_;
  const InferParts infer_;
  const std::shared_ptr<control::Session> session_;
};

}  // namespace dofa::bus

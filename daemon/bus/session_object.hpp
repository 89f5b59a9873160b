// SPDX-License-Identifier: Apache-2.0
// A session on the bus: translation only. Methods run on the bus thread; announce…() may be called from any thread.
#pragma once

#include <memory>
#include <string>
#include <tuple>

#include "daemon/bus/values.hpp"
#include "daemon/control/runtime.hpp"
#include "daemon/control/stream_gate.hpp"
#include "dbus/session_adaptor.hpp"

namespace dofa::bus {

class SessionObject final : public sdbus::AdaptorInterfaces<org::dofa::Dofa1::Session_adaptor, sdbus::ManagedObject_adaptor> {
 public:
  using Adaptor = org::dofa::Dofa1::Session_adaptor;
  using InferReply = sdbus::Result<std::vector<sdbus::Struct<std::uint32_t, double>>, Dictionary>;

  SessionObject(sdbus::IConnection& connection, control::Runtime& runtime, control::StreamGate& streams,
                std::shared_ptr<control::Session> session);
  ~SessionObject();

  static std::string path_of(const control::Session& session);

  void announce_subnet(std::uint32_t from, const std::string& reason);
  /// An empty dictionary where no contract could be kept.
  void announce_unmet(const std::string& reason, const std::optional<policy::Contract>& nearest);
  void announce_closed(const std::string& reason);

 private:
  void SetContract(const Dictionary& changes) override;
  void Infer(InferReply&& reply, sdbus::UnixFd frame, Dictionary format) override;
  std::tuple<sdbus::UnixFd, sdbus::UnixFd> OpenStream(const Dictionary& format) override;
  void Close() override;

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

  [[nodiscard]] bool caller_is_owner() const;
  [[nodiscard]] const engine::LevelInfo& level_info(std::uint32_t level) const;

  control::Runtime& runtime_;
  control::StreamGate& streams_;
  const std::shared_ptr<control::Session> session_;
};

}  // namespace dofa::bus

// SPDX-License-Identifier: Apache-2.0
// The objects that the fake service puts on its bus: the generated adaptors with fixed properties. Calls are
// noted by the service, which also decides on answers. They live on its thread.
#pragma once

#include <atomic>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "proto/names.hpp"
#include "tests/unit/client/fake_service.hpp"

namespace dofa::test {

inline constexpr const char* kFakeFamilyPath =
    "/org/dofa/Dofa1/family/p_65ts";  // "pets", escaped as a service may do

class FakeFamily final
    : public sdbus::AdaptorInterfaces<org::dofa::Dofa1::Family_adaptor, sdbus::ManagedObject_adaptor> {
 public:
  explicit FakeFamily(sdbus::IConnection& connection)
      : AdaptorInterfaces(connection, sdbus::ObjectPath{kFakeFamilyPath}) {
    registerAdaptor();
  }
  ~FakeFamily() { unregisterAdaptor(); }

  /// From now on measure() takes so many looks at it.
  void take(int looks) { takes_ = looks; }
  void measure() { looks_ = takes_.load(); }

 private:
  std::string Name() override { return "pets"; }
  std::string Kind() override { return "torchscript"; }
  std::string Task() override { return "classification"; }
  std::vector<std::string> Labels() override { return {"cat", "dog"}; }
  std::uint64_t ResidentBytes() override { return 3 << 20; }
  std::vector<Dictionary> Subnets() override;

  std::atomic<int> takes_ = 2;
  std::atomic<int> looks_ = -1;  ///< until it is measured; -1: that was never asked for
};

class FakeSession final
    : public sdbus::AdaptorInterfaces<org::dofa::Dofa1::Session_adaptor, sdbus::ManagedObject_adaptor,
                                      sdbus::Properties_adaptor> {
 public:
  FakeSession(FakeService& service, const std::string& id, std::string application, Dictionary contract);
  ~FakeSession() { unregisterAdaptor(); }

  void change_subnet(const std::string& to);
  void report_unmet();
  void end(const std::string& reason);

 private:
  void SetContract(sdbus::Result<>&& reply, Dictionary changes) override;
  void Infer(InferReply&& reply, sdbus::UnixFd frame, Dictionary format) override;
  std::tuple<sdbus::UnixFd, sdbus::UnixFd> OpenStream(const Dictionary& format) override;
  std::tuple<std::uint64_t, std::vector<FrameTuple>> RecentFrames(const std::uint64_t& after) override;
  void Close(sdbus::Result<>&& reply) override;

  std::string Application() override { return application_; }
  std::string Owner() override { return ":1.42"; }
  sdbus::ObjectPath Family() override { return sdbus::ObjectPath{kFakeFamilyPath}; }
  Dictionary Contract() override { return contract_; }
  std::string Subnet() override { return "large"; }
  std::uint32_t Level() override { return 1; }
  std::string Processor() override { return "cpu"; }
  double Accuracy() override { return 0.75; }
  std::uint64_t ExpectedLatency() override { return 12'000; }
  std::uint64_t Frames() override { return 100; }
  std::uint64_t MissedDeadlines() override { return 3; }
  std::uint64_t Dropped() override { return 2; }
  Dictionary Statistics() override {
    return {{"switches", sdbus::Variant{std::uint64_t{4}}}, {"service-us-p95", sdbus::Variant{9'500.0}}};
  }
  double Attainment() override { return std::numeric_limits<double>::quiet_NaN(); }

  FakeService& service_;
  std::string application_;
  Dictionary contract_;
  std::weak_ptr<FakeStream> stream_;
};

class FakeManager final
    : public sdbus::AdaptorInterfaces<org::dofa::Dofa1::Manager_adaptor, sdbus::ObjectManager_adaptor> {
 public:
  FakeManager(FakeService& service, sdbus::IConnection& connection)
      : AdaptorInterfaces(connection, sdbus::ObjectPath{proto::kRootPath}), service_(service) {
    registerAdaptor();
  }
  ~FakeManager() { unregisterAdaptor(); }

 private:
  sdbus::ObjectPath OpenSession(const std::string& application, const std::string&,
                                const Dictionary& contract) override;
  void LoadFamily(sdbus::Result<sdbus::ObjectPath>&& reply, std::string directory) override;
  void UnloadFamily(sdbus::Result<>&& reply, sdbus::ObjectPath family, Dictionary options) override;
  void ProfileFamily(sdbus::Result<>&& reply, std::string name) override;
  void Reload(sdbus::Result<>&& reply) override;
  std::string Version() override { return "1.2.3"; }
  std::string State() override { return "running"; }
  std::map<std::string, Dictionary> Processors() override;

  FakeService& service_;
};

}  // namespace dofa::test

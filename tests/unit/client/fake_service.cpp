// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/client/fake_service.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <limits>
#include <stdexcept>

#include "proto/names.hpp"

namespace dofa::test {

namespace {
constexpr const char* kFamilyPath = "/org/dofa/Dofa1/family/p_65ts";  // "pets", escaped as a service may do
constexpr auto kPatience = std::chrono::seconds(10);
}  // namespace

class FakeFamily final
    : public sdbus::AdaptorInterfaces<org::dofa::Dofa1::Family_adaptor, sdbus::ManagedObject_adaptor> {
 public:
  explicit FakeFamily(sdbus::IConnection& connection)
      : AdaptorInterfaces(connection, sdbus::ObjectPath{kFamilyPath}) {
    registerAdaptor();
  }
  ~FakeFamily() { unregisterAdaptor(); }

 private:
  std::string Name() override { return "pets"; }
  std::string Kind() override { return "torchscript"; }
  std::string Task() override { return "classification"; }
  std::vector<std::string> Labels() override { return {"cat", "dog"}; }
  std::uint64_t ResidentBytes() override { return 3 << 20; }
  std::vector<Dictionary> Subnets() override {
    return {{{"name", sdbus::Variant{std::string{"small"}}},
             {"level", sdbus::Variant{std::uint32_t{0}}},
             {"resolution", sdbus::Variant{std::uint32_t{128}}},
             {"executor", sdbus::Variant{std::string{"libtorch"}}}},
            {{"name", sdbus::Variant{std::string{"large"}}},
             {"level", sdbus::Variant{std::uint32_t{1}}},
             {"resolution", sdbus::Variant{std::uint32_t{224}}},
             {"executor", sdbus::Variant{std::string{"kernels"}}},
             {"macs", sdbus::Variant{std::uint64_t{566'000'000}}},
             {"top1", sdbus::Variant{0.75}},
             {"top5", sdbus::Variant{0.9}},
             {"dataset", sdbus::Variant{std::string{"zoo"}}},
             {"images", sdbus::Variant{std::uint32_t{1000}}},
             {"latency-us:cpu", sdbus::Variant{std::uint64_t{12'345}}},
             {"provisional:cpu", sdbus::Variant{true}},
             {"from-the-future", sdbus::Variant{std::int16_t{-1}}}}};
  }
};

class FakeSession final
    : public sdbus::AdaptorInterfaces<org::dofa::Dofa1::Session_adaptor, sdbus::ManagedObject_adaptor,
                                      sdbus::Properties_adaptor> {
 public:
  FakeSession(FakeService& service, const std::string& id, std::string application, Dictionary contract)
      : AdaptorInterfaces(*service.connection_,
                          sdbus::ObjectPath{std::string(proto::kSessionPathPrefix) + id}),
        service_(service),
        application_(std::move(application)),
        contract_(std::move(contract)) {
    registerAdaptor();
    emitInterfacesAddedSignal();
  }
  ~FakeSession() { unregisterAdaptor(); }

  void change_subnet(const std::string& to) {
    emitSubnetChanged("large", to, "cpu", "load rose");
    getObject().emitPropertiesChangedSignal(
        proto::InterfaceName{org::dofa::Dofa1::Session_adaptor::INTERFACE_NAME},
        {proto::PropertyName{"Level"}});
  }
  void report_unmet() {
    emitContractUnmet("too slow", {{"latency-budget-us", sdbus::Variant{std::uint64_t{40'000}}}});
  }
  void end(const std::string& reason) {
    emitClosed(reason);
    if (const auto stream = stream_.lock()) stream->hang_up();
    emitInterfacesRemovedSignal();
  }

 private:
  void SetContract(const Dictionary& changes) override {
    service_.note("SetContract", changes);
    for (const auto& [key, value] : changes) contract_[key] = value;
  }
  void Infer(InferReply&& reply, sdbus::UnixFd frame, Dictionary format) override {
    try {
      service_.note("Infer");
    } catch (const sdbus::Error& error) {
      reply.returnError(error);
      return;
    }
    struct stat status {};
    ::fstat(frame.get(), &status);
    SeenFrame seen{.seals = ::fcntl(frame.get(), F_GET_SEALS),
                   .pixels = std::vector<unsigned char>(static_cast<std::size_t>(status.st_size)),
                   .format = std::move(format)};
    if (::pread(frame.get(), seen.pixels.data(), seen.pixels.size(), 0) != status.st_size)
      seen.pixels.clear();
    service_.answer(std::move(reply), std::move(seen));
  }
  std::tuple<sdbus::UnixFd, sdbus::UnixFd> OpenStream(const Dictionary& format) override {
    service_.note("OpenStream", format);
    auto stream = service_.make_stream(format);
    stream_ = stream;
    return {stream->memory(), stream->take_doorbell()};
  }
  void Close() override {
    service_.note("Close");
    service_.close_session(getObject().getObjectPath().substr(proto::kSessionPathPrefix.size()), "closed");
  }

  std::string Application() override { return application_; }
  std::string Owner() override { return ":1.42"; }
  sdbus::ObjectPath Family() override { return sdbus::ObjectPath{kFamilyPath}; }
  Dictionary Contract() override { return contract_; }
  std::string Subnet() override { return "large"; }
  std::uint32_t Level() override { return 1; }
  std::string Processor() override { return "cpu"; }
  double Accuracy() override { return 0.75; }
  std::uint64_t ExpectedLatency() override { return 12'000; }
  std::uint64_t Frames() override { return 100; }
  std::uint64_t MissedDeadlines() override { return 3; }
  std::uint64_t Dropped() override { return 2; }
  Dictionary Statistics() override { return {}; }
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
                                const Dictionary& contract) override {
    service_.note("OpenSession", contract);
    return sdbus::ObjectPath{std::string(proto::kSessionPathPrefix) +
                             service_.open_session(application, contract)};
  }
  void LoadFamily(sdbus::Result<sdbus::ObjectPath>&& reply, std::string directory) override {
    try {
      service_.note("LoadFamily", {{"directory", sdbus::Variant{directory}}});
      reply.returnResults(sdbus::ObjectPath{kFamilyPath});
    } catch (const sdbus::Error& error) {
      reply.returnError(error);
    }
  }
  void UnloadFamily(const sdbus::ObjectPath& family, const Dictionary& options) override {
    auto seen = options;
    seen.emplace("family", sdbus::Variant{std::string(family)});
    service_.note("UnloadFamily", seen);
  }
  void Reload(sdbus::Result<>&& reply) override {
    try {
      service_.note("Reload");
      reply.returnResults();
    } catch (const sdbus::Error& error) {
      reply.returnError(error);
    }
  }
  std::string Version() override { return "1.2.3"; }
  std::string State() override { return "running"; }
  std::map<std::string, Dictionary> Processors() override {
    return {{"cpu",
             {{"lanes", sdbus::Variant{std::uint32_t{2}}},
              {"load", sdbus::Variant{0.5}},
              {"slowdown", sdbus::Variant{1.25}},
              {"simd", sdbus::Variant{std::string{"AVX3"}}}}}};
  }

  FakeService& service_;
};

FakeService::FakeService(const std::string& address, std::map<std::string, std::string> failures)
    : failures_(std::move(failures)), connection_(sdbus::createSessionBusConnectionWithAddress(address)) {
  manager_ = std::make_unique<FakeManager>(*this, *connection_);
  family_ = std::make_unique<FakeFamily>(*connection_);
  connection_->requestName(proto::BusName{proto::kBusName});
  loop_ = std::thread([this] {
    try {
      connection_->enterEventLoop();
    } catch (const sdbus::Error&) {  // a test stopped the bus
    }
  });
}

FakeService::~FakeService() {
  connection_->leaveEventLoop();
  loop_.join();
  held_.clear();  // replies must go before their connection
}

void FakeService::fail(const std::string& member, const std::string& error_name) {
  const std::lock_guard lock(mutex_);
  if (error_name.empty()) {
    failures_.erase(member);
  } else {
    failures_[member] = error_name;
  }
}

void FakeService::hold_frames(bool hold) {
  const std::lock_guard lock(mutex_);
  hold_ = hold;
}

void FakeService::note(const std::string& member, const Dictionary& dictionary) {
  const std::lock_guard lock(mutex_);
  ++seen_[member];
  if (!dictionary.empty()) last_dictionary_ = dictionary;
  changed_.notify_all();
  const auto failure = failures_.find(member);
  if (failure != failures_.end()) throw proto::error(failure->second, "told to fail");
}

bool FakeService::saw(const std::string& member, std::size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return seen_[member] >= count; });
}

void FakeService::answer(InferReply&& reply, SeenFrame frame) {
  {
    const std::lock_guard lock(mutex_);
    last_frame_ = frame;
    if (hold_) {
      held_.emplace_back(std::move(reply), std::move(frame));
      changed_.notify_all();
      return;
    }
  }
  reply_to(reply, frame);
}

void FakeService::answer_held(std::size_t count) {
  decltype(held_) held;
  {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [&] { return held_.size() >= count; }))
      throw std::runtime_error("too few frames arrived");
    held.swap(held_);
  }
  for (auto one = held.rbegin(); one != held.rend(); ++one) reply_to(one->first, one->second);
}

/// The first byte of the pixels comes back as the best class, so that a test can tell answers apart.
void FakeService::reply_to(InferReply& reply, const SeenFrame& frame) {
  const std::uint32_t first = frame.pixels.empty() ? 0 : frame.pixels.front();
  reply.returnResults(
      {sdbus::Struct<std::uint32_t, double>{first, 0.75}, sdbus::Struct<std::uint32_t, double>{1, 0.25}},
      {{"sequence", sdbus::Variant{std::uint64_t{9}}},
       {"level", sdbus::Variant{std::uint32_t{1}}},
       {"subnet", sdbus::Variant{std::string{"large"}}},
       {"processor", sdbus::Variant{std::string{"cpu"}}},
       {"late", sdbus::Variant{true}},
       {"queue-us", sdbus::Variant{std::uint64_t{10}}},
       {"preprocess-us", sdbus::Variant{std::uint64_t{200}}},
       {"inference-us", sdbus::Variant{std::uint64_t{3000}}}});
}

std::string FakeService::open_session(const std::string& application, const Dictionary& contract) {
  std::string id;
  {
    const std::lock_guard lock(mutex_);
    id = std::to_string(next_session_++);
  }
  // Not under the lock: the bus's own is taken here, and held while a call comes in.
  auto session = std::make_shared<FakeSession>(*this, id, application, contract);
  const std::lock_guard lock(mutex_);
  sessions_[id] = std::move(session);
  return id;
}

void FakeService::emit_subnet_changed(const std::string& session, const std::string& to) {
  sessions_.at(session)->change_subnet(to);
}
void FakeService::emit_contract_unmet(const std::string& session) {
  sessions_.at(session)->report_unmet();
}

void FakeService::close_session(const std::string& session, const std::string& reason) {
  std::shared_ptr<FakeSession> ended;
  {
    const std::lock_guard lock(mutex_);
    const auto found = sessions_.find(session);
    if (found == sessions_.end()) return;
    ended = closed_.emplace_back(found->second);
    sessions_.erase(found);
  }
  ended->end(reason);
}

std::shared_ptr<FakeStream> FakeService::make_stream(const Dictionary& format) {
  const std::lock_guard lock(mutex_);
  streams_.push_back(std::make_shared<FakeStream>(format, spoil_));
  return streams_.back();
}

void FakeService::spoil_rings(FakeStream::Spoil spoil) {
  const std::lock_guard lock(mutex_);
  spoil_ = std::move(spoil);
}

std::shared_ptr<FakeStream> FakeService::stream() {
  const std::lock_guard lock(mutex_);
  return streams_.at(streams_.size() - 1);
}

Dictionary FakeService::last_dictionary() {
  const std::lock_guard lock(mutex_);
  return last_dictionary_;
}

SeenFrame FakeService::last_frame() {
  const std::lock_guard lock(mutex_);
  return last_frame_;
}

}  // namespace dofa::test

// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/client/fake_objects.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dofa::test {

namespace {

/// Answers a call with what `work` does or throws.
template <class Work>
void answer(sdbus::Result<>& reply, Work work) {
  try {
    work();
    reply.returnResults();
  } catch (const sdbus::Error& error) {
    reply.returnError(error);
  }
}

}  // namespace

std::vector<Dictionary> FakeFamily::Subnets() {
  const int looks = looks_;
  const bool measured = looks == 0;
  if (looks > 0) --looks_;
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
           {"latency-us:cpu", sdbus::Variant{std::uint64_t{measured ? 6'789U : 12'345U}}},
           {"provisional:cpu", sdbus::Variant{!measured}},
           {"from-the-future", sdbus::Variant{std::int16_t{-1}}}}};
}

FakeSession::FakeSession(FakeService& service, const std::string& id, std::string application,
                         Dictionary contract)
    : AdaptorInterfaces(*service.connection_, sdbus::ObjectPath{std::string(proto::kSessionPathPrefix) + id}),
      service_(service),
      application_(std::move(application)),
      contract_(std::move(contract)) {
  registerAdaptor();
  emitInterfacesAddedSignal();
}

void FakeSession::change_subnet(const std::string& to) {
  emitSubnetChanged("large", to, "cpu", "load rose");
  getObject().emitPropertiesChangedSignal(
      proto::InterfaceName{org::dofa::Dofa1::Session_adaptor::INTERFACE_NAME},
      {proto::PropertyName{"Level"}});
}

void FakeSession::report_unmet() {
  emitContractUnmet("too slow", {{"latency-budget-us", sdbus::Variant{std::uint64_t{40'000}}}});
}

void FakeSession::end(const std::string& reason) {
  emitClosed(reason);
  if (const auto stream = stream_.lock()) stream->hang_up();
  emitInterfacesRemovedSignal();
}

void FakeSession::SetContract(sdbus::Result<>&& reply, Dictionary changes) {
  answer(reply, [&] {
    service_.note("SetContract", changes);
    for (const auto& [key, value] : changes) contract_[key] = value;
  });
}

void FakeSession::Infer(InferReply&& reply, sdbus::UnixFd frame, Dictionary format) {
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
  if (::pread(frame.get(), seen.pixels.data(), seen.pixels.size(), 0) != status.st_size) seen.pixels.clear();
  service_.answer(std::move(reply), std::move(seen));
}

std::tuple<sdbus::UnixFd, sdbus::UnixFd> FakeSession::OpenStream(const Dictionary& format) {
  service_.note("OpenStream", format);
  auto stream = service_.make_stream(format);
  stream_ = stream;
  return {stream->memory(), stream->take_doorbell()};
}

std::tuple<std::uint64_t, std::vector<FrameTuple>> FakeSession::RecentFrames(const std::uint64_t& after) {
  service_.note("RecentFrames");
  return service_.frames_after(after);
}

void FakeSession::Close(sdbus::Result<>&& reply) {
  answer(reply, [&] {
    service_.note("Close");
    service_.close_session(getObject().getObjectPath().substr(proto::kSessionPathPrefix.size()), "closed");
  });
}

sdbus::ObjectPath FakeManager::OpenSession(const std::string& application, const std::string&,
                                           const Dictionary& contract) {
  service_.note("OpenSession", contract);
  return sdbus::ObjectPath{std::string(proto::kSessionPathPrefix) +
                           service_.open_session(application, contract)};
}

void FakeManager::LoadFamily(sdbus::Result<sdbus::ObjectPath>&& reply, std::string directory) {
  try {
    service_.note("LoadFamily", {{"directory", sdbus::Variant{directory}}});
    reply.returnResults(sdbus::ObjectPath{kFakeFamilyPath});
  } catch (const sdbus::Error& error) {
    reply.returnError(error);
  }
}

void FakeManager::UnloadFamily(sdbus::Result<>&& reply, sdbus::ObjectPath family, Dictionary options) {
  options.emplace("family", sdbus::Variant{std::string(family)});
  answer(reply, [&] { service_.note("UnloadFamily", options); });
}

void FakeManager::ProfileFamily(sdbus::Result<>&& reply, std::string name) {
  answer(reply, [&] {
    service_.note("ProfileFamily", {{"name", sdbus::Variant{name}}});
    if (name != "pets")
      throw proto::error("org.dofa.Dofa1.Error.NotFound", "no family '" + name + "' is loaded");
    service_.family_->measure();
  });
}

void FakeManager::Reload(sdbus::Result<>&& reply) {
  answer(reply, [&] { service_.note("Reload"); });
}

std::map<std::string, Dictionary> FakeManager::Processors() {
  return {{"cpu",
           {{"lanes", sdbus::Variant{std::uint32_t{2}}},
            {"load", sdbus::Variant{0.5}},
            {"slowdown", sdbus::Variant{1.25}},
            {"simd", sdbus::Variant{std::string{"AVX3"}}}}},
          {"cuda:0",
           {{"lanes", sdbus::Variant{std::uint32_t{1}}},
            {"model", sdbus::Variant{std::string{"Fake GPU"}}},
            {"lost", sdbus::Variant{std::string{"it fell off the bus"}}}}}};
}

}  // namespace dofa::test

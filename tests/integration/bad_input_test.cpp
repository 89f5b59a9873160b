// SPDX-License-Identifier: Apache-2.0
// What clients can get wrong, spoken in raw D-Bus: each gets its named error, and changes nothing for anyone
// else.
#include <fcntl.h>

#include <cmath>
#include <limits>

#include "tests/support/bus_client.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/daemon.hpp"
#include "tests/support/frames.hpp"
#include "tests/support/script_family.hpp"

using namespace dofa;
using namespace dofa::test;

namespace {

std::unique_ptr<sdbus::IConnection> connect(const Daemon& daemon) {
  auto connection = connect_to(daemon.bus());
  connection->enterEventLoopAsync();
  return connection;
}

const double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("bad input gets a named error and the service goes on") {
  TemporaryDirectory home;
  write_script_family(home.path() / "colours", "colours",
                      {{"small", colour_net(5), "{top1: 0.5, top5: 1, dataset: colours, images: 4}"},
                       {"large", colour_net(9), "{top1: 0.75, top5: 1, dataset: colours, images: 4}"}});
  write_script_family(home.path() / "unmeasured", "unmeasured", {{"only", colour_net()}});
  // Works on the dry run's zeros, throws inside LibTorch on anything brighter.
  write_script_family(
      home.path() / "throwing", "throwing",
      {{"only", "    if bool(x.sum() > 0):\n        return torch.ones([2]).reshape(3, 4)\n" + colour_net()}});
  Daemon daemon("families:\n  roots: [" + home.path().string() + "]\n");
  const auto connection = connect(daemon);
  BusManager manager(*connection);
  const auto open = [&](const std::string& application, const std::string& family,
                        const Dictionary& contract) {
    return manager.OpenSession(application, family, contract);
  };
  BusSession good(*connection, open("good", "colours", {}));

  SECTION("in OpenSession") {
    const auto contract_error = [&](const std::string& key, const sdbus::Variant& value) {
      INFO(key);
      return error_of([&] { open("bad", "colours", {{key, value}}); });
    };
    const std::string invalid = "InvalidArgument";
    CHECK(contract_error("latency", variant(std::uint64_t{1000})) == invalid);
    CHECK(contract_error("latency-budget-us", variant(std::uint64_t{0})) == invalid);
    CHECK(contract_error("latency-budget-us", variant(std::string("1000"))) == invalid);
    CHECK(contract_error("latency-budget-us", variant(std::numeric_limits<std::uint64_t>::max())) == invalid);
    CHECK(contract_error("latency-budget-us", variant(std::int32_t{-5})) == invalid);
    CHECK(contract_error("period-us", variant(std::uint64_t{0})) == invalid);
    CHECK(contract_error("min-accuracy", variant(kNan)) == invalid);
    CHECK(contract_error("min-accuracy", variant(1.5)) == invalid);
    CHECK(contract_error("min-accuracy", variant(0.9)) == "Unsatisfiable");
    CHECK(contract_error("percentile", variant(0.0)) == invalid);
    CHECK(contract_error("percentile", variant(1.0)) == invalid);
    CHECK(contract_error("percentile", variant(kNan)) == invalid);
    CHECK(contract_error("priority", variant(std::uint32_t{0})) == invalid);
    CHECK(contract_error("priority", variant(std::uint32_t{101})) == invalid);
    CHECK(contract_error("objective", variant(std::string("speed"))) == invalid);
    CHECK(contract_error("when-late", variant(true)) == invalid);
    CHECK(contract_error("level", variant(std::uint32_t{2})) == invalid);
    CHECK(error_of([&] { open("bad", "nothing", {}); }) == "NotFound");
    CHECK(error_of([&] { open("bad", "unmeasured", {{"min-accuracy", variant(0.1)}}); }) == "NotSupported");
    CHECK(error_of([&] { open("", "colours", {}); }) == invalid);
    CHECK(error_of([&] { open("bell\a", "colours", {}); }) == invalid);
    CHECK(error_of([&] { open("two\nlines", "colours", {}); }) == invalid);
    CHECK(error_of([&] { open("C1 \xc2\x9b", "colours", {}); }) == invalid);
    CHECK(error_of([&] { open(std::string(65, 'x'), "colours", {}); }) == invalid);
    CHECK(error_of([&] {
            open("caf\xc3\xa9", "colours", {{"latency-budget-us", variant(std::int16_t{1000})}});
          }) == "no error");
  }

  SECTION("in SetContract, which is all or nothing") {
    CHECK(error_of([&] {
            good.SetContract({{"priority", variant(std::uint32_t{7})}, {"percentile", variant(2.0)}});
          }) == "InvalidArgument");
    CHECK(good.Contract().at("priority").get<std::uint32_t>() == 1);
  }

  SECTION("in Infer") {
    const auto infer_error = [&](int fd, const Dictionary& format) {
      return error_of([&] { good.Infer(sdbus::UnixFd{fd}, format); });
    };
    const auto format = [](std::uint32_t width, std::uint32_t height, Dictionary more = {}) {
      more.emplace("width", variant(width));
      more.emplace("height", variant(height));
      return more;
    };
    const std::string invalid = "InvalidArgument";
    const std::size_t size = 32 * 32 * 3;
    const Memfd whole(size);
    REQUIRE(infer_error(whole.get(), format(32, 32)) == "no error");

    const int zero = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
    CHECK(infer_error(zero, format(32, 32)) == invalid);
    close(zero);
    for (const int missing : {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE}) {
      const Memfd unsealed(size, Memfd::kAllSeals & ~missing);
      CHECK(infer_error(unsealed.get(), format(32, 32)) == invalid);
    }
    const Memfd short_one(size - 1);
    CHECK(infer_error(short_one.get(), format(32, 32)) == invalid);
    const Memfd empty(0);
    CHECK(infer_error(empty.get(), format(32, 32)) == invalid);
    CHECK(infer_error(whole.get(), format(0, 32)) == invalid);
    CHECK(infer_error(whole.get(), format(32, 0)) == invalid);
    CHECK(infer_error(whole.get(), format(UINT32_MAX, UINT32_MAX)) == invalid);
    CHECK(infer_error(whole.get(), format(65536, 65536)) == invalid);
    CHECK(infer_error(whole.get(), format(16384, 16384)) == "ResourceExhausted");
    CHECK(infer_error(whole.get(), format(32, 32, {{"stride", variant(std::uint32_t{95})}})) == invalid);
    CHECK(infer_error(whole.get(), format(32, 32, {{"stride", variant(UINT32_MAX)}})) == "ResourceExhausted");
    CHECK(infer_error(whole.get(), format(32, 32, {{"stride", variant(std::int32_t{-96})}})) == invalid);
    CHECK(infer_error(whole.get(), format(32, 32, {{"format", variant(std::string("jpeg"))}})) == invalid);
    CHECK(infer_error(whole.get(), format(32, 32, {{"format", variant(std::uint32_t{0})}})) == invalid);
    CHECK(infer_error(whole.get(), format(31, 32, {{"format", variant(std::string("nv12"))}})) == invalid);
    CHECK(infer_error(whole.get(), format(32, 32, {{"colour", variant(true)}})) == invalid);
    CHECK(infer_error(whole.get(), format(32, 32, {{"top-k", variant(std::uint32_t{0})}})) == invalid);
    CHECK(infer_error(whole.get(), format(32, 32, {{"top-k", variant(std::uint32_t{101})}})) == invalid);
    CHECK(infer_error(whole.get(), {{"width", variant(std::uint32_t{32})}}) == invalid);

    const int floats = memfd_create("nan", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    std::vector<float> pixels(3 * 32 * 32, 0.5F);
    pixels[1000] = std::numeric_limits<float>::quiet_NaN();
    const auto bytes = static_cast<ssize_t>(pixels.size() * sizeof(float));
    REQUIRE(write(floats, pixels.data(), static_cast<std::size_t>(bytes)) == bytes);
    REQUIRE(fcntl(floats, F_ADD_SEALS, Memfd::kAllSeals) == 0);
    const Dictionary as_floats{{"format", variant(std::string("float32-nchw"))}};
    CHECK(infer_error(floats, format(32, 32, as_floats)) == invalid);
    close(floats);
  }

  SECTION("an exception inside LibTorch") {
    BusSession throwing(*connection, open("throwing", "throwing", {}));
    const int white = memfd_create("white", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const std::vector<std::uint8_t> pixels(32 * 32 * 3, 255);
    REQUIRE(write(white, pixels.data(), pixels.size()) == static_cast<ssize_t>(pixels.size()));
    REQUIRE(fcntl(white, F_ADD_SEALS, Memfd::kAllSeals) == 0);
    const Dictionary format{{"width", variant(std::uint32_t{32})}, {"height", variant(std::uint32_t{32})}};
    CHECK(error_of([&] { throwing.Infer(sdbus::UnixFd{white}, format); }) == "Failed");
    close(white);
  }

  SECTION("the session of another owner") {
    const auto stranger = connect(daemon);
    const std::string path = open("mine", "colours", {});
    BusSession theirs(*stranger, path);
    const Memfd frame(32 * 32 * 3);
    const Dictionary format{{"width", variant(std::uint32_t{32})}, {"height", variant(std::uint32_t{32})}};
    CHECK(error_of([&] { theirs.Infer(sdbus::UnixFd{frame.get()}, format); }) == "NotAuthorized");
    BusSession mine(*connection, path);
    CHECK(error_of([&] { mine.Infer(sdbus::UnixFd{frame.get()}, format); }) == "no error");
  }

  SECTION("a session that was closed") {
    const std::string path = open("short", "colours", {});
    BusSession session(*connection, path);
    session.Close();
    const Memfd frame(32 * 32 * 3);
    const Dictionary format{{"width", variant(std::uint32_t{32})}, {"height", variant(std::uint32_t{32})}};
    const std::string error = error_of([&] { session.Infer(sdbus::UnixFd{frame.get()}, format); });
    CHECK((error == "Cancelled" || error == "org.freedesktop.DBus.Error.UnknownObject" ||
           error == "org.freedesktop.DBus.Error.UnknownMethod"));
  }

  SECTION("more sessions than a user may have") {
    std::string error = "no error";
    int opened = 1;
    for (; error == "no error" && opened < 100; ++opened)
      error = error_of([&] { open("many", "colours", {}); });
    CHECK(error == "ResourceExhausted");
    CHECK(opened == 17);  // limits.sessions_per_uid is 16
  }

  // Whatever went before: the good session still answers.
  const Memfd frame(32 * 32 * 3);
  const Dictionary format{{"width", variant(std::uint32_t{32})}, {"height", variant(std::uint32_t{32})}};
  const auto [top, info] = good.Infer(sdbus::UnixFd{frame.get()}, format);
  CHECK(std::get<0>(top.at(0)) == 3);  // black
  CHECK(daemon.process().running());
}

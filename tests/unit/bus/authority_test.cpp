// SPDX-License-Identifier: Apache-2.0
// Rights against a polkit that allows, denies, hangs, goes away, or was never there.
#include "daemon/bus/authority.hpp"

#include <unistd.h>

#include <atomic>
#include <future>

#include "dbus/manager_adaptor.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/deadline.hpp"
#include "tests/support/fake_polkit.hpp"
#include "tests/support/private_bus.hpp"

using namespace dofa;
using namespace dofa::bus;
using namespace dofa::test;
using namespace std::chrono_literals;

namespace {

const Caller kStranger{":1.77", geteuid() + 1234};

std::function<std::unique_ptr<sdbus::IConnection>()> to(const PrivateBus& bus) {
  return [&bus] { return sdbus::createSessionBusConnectionWithAddress(bus.address()); };
}

/// A question whose answer can be waited for.
struct Question {
  std::promise<Result<void>> promise;
  std::future<Result<void>> answer = promise.get_future();

  Question(Authority& authority, const Caller& caller, const Right& right) {
    authority.check(caller, right, [this](const Result<void>& decided) { promise.set_value(decided); });
  }
  [[nodiscard]] bool decided_within(std::chrono::milliseconds time) const {
    return answer.wait_for(time) == std::future_status::ready;
  }
};

constexpr const char* kAsking = "org.dofa.Test";

/// A service that asks for a stranger's right within each call of Reload, as dofad does.
class Asking {
 public:
  Asking(const std::string& bus, Authority& authority)
      : connection_(sdbus::createSessionBusConnectionWithAddress(bus)), object_(*connection_, authority) {
    connection_->requestName(proto::BusName{kAsking});
    loop_ = std::thread([this] { connection_->enterEventLoop(); });
  }
  ~Asking() {
    connection_->leaveEventLoop();
    loop_.join();
  }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;

 private:
  using Dictionary = std::map<std::string, sdbus::Variant>;

  class Object final : public sdbus::AdaptorInterfaces<org::dofa::Dofa1::Manager_adaptor> {
   public:
    Object(sdbus::IConnection& connection, Authority& authority)
        : AdaptorInterfaces(connection, sdbus::ObjectPath{"/org/dofa/Dofa1"}), authority_(authority) {
      registerAdaptor();
    }
    ~Object() { unregisterAdaptor(); }

   private:
    void Reload(sdbus::Result<>&& reply) override {
      authority_.check(kStranger, kReload, [held = keep(std::move(reply))](const Result<void>& allowed) {
        guard_async("Reload", *held, [&] {
          require(allowed);
          held->returnResults();
        });
      });
    }
    sdbus::ObjectPath OpenSession(const std::string&, const std::string&, const Dictionary&) override {
      return {};
    }
    void LoadFamily(sdbus::Result<sdbus::ObjectPath>&&, std::string) override {}
    void UnloadFamily(sdbus::Result<>&&, sdbus::ObjectPath, Dictionary) override {}
    void ProfileFamily(sdbus::Result<>&&, std::string) override {}
    std::string Version() override { return {}; }
    std::string State() override { return {}; }
    std::map<std::string, Dictionary> Processors() override { return {}; }

    Authority& authority_;
  };

  std::unique_ptr<sdbus::IConnection> connection_;
  Object object_;
  std::thread loop_;
};

/// The error's code; nothing where it was allowed.
std::optional<ErrorCode> refusal(Authority& authority, const Caller& caller, const Right& right = kReload) {
  Question question(authority, caller, right);
  REQUIRE(question.decided_within(10s));
  const auto answer = question.answer.get();
  return answer ? std::nullopt : std::optional(answer.error().code);
}

}  // namespace

TEST_CASE("root and the service's own user are administrators, whatever polkit says") {
  const PrivateBus bus;
  FakePolkit polkit(bus.address(), FakePolkit::Mood::kDenies);
  Authority authority(to(bus));
  CHECK_FALSE(refusal(authority, {":1.5", 0}));
  CHECK_FALSE(refusal(authority, {":1.5", geteuid()}));
  CHECK(polkit.asked().empty());
}

TEST_CASE("others are what polkit says, asked about the right action of the right bus name") {
  const PrivateBus bus;
  FakePolkit polkit(bus.address(), FakePolkit::Mood::kAllows);
  Authority authority(to(bus));
  CHECK_FALSE(refusal(authority, kStranger, kLoadFamily));
  CHECK_FALSE(refusal(authority, kStranger, kSetContract));
  CHECK_FALSE(refusal(authority, kStranger, kProfileFamily));
  polkit.set_mood(FakePolkit::Mood::kDenies);
  CHECK(refusal(authority, kStranger, kReload) == ErrorCode::kNotAuthorized);
  CHECK(polkit.asked() == std::vector<std::string>{"org.dofa.Dofa1.manage-families of :1.77",
                                                   "org.dofa.Dofa1.manage-sessions of :1.77",
                                                   "org.dofa.Dofa1.manage-families of :1.77",
                                                   "org.dofa.Dofa1.reload of :1.77"});
}

TEST_CASE("without polkit nobody else is an administrator") {
  const PrivateBus bus;
  Authority absent(to(bus));
  CHECK(refusal(absent, kStranger) == ErrorCode::kNotAuthorized);
  CHECK_FALSE(refusal(absent, {":1.5", 0}));
  Authority no_bus([]() -> std::unique_ptr<sdbus::IConnection> {
    return sdbus::createSessionBusConnectionWithAddress("unix:path=/nonexistent/socket");
  });
  CHECK(refusal(no_bus, kStranger) == ErrorCode::kNotAuthorized);
}

TEST_CASE(
    "answers of polkit and questions to it, both within calls of the bus, do not wait for one another") {
  const Deadline deadline;
  const PrivateBus bus;  // no polkit on it: the bus itself answers, as fast as can be
  Authority authority(to(bus));
  Asking service(bus.address(), authority);
  const auto connection = sdbus::createSessionBusConnectionWithAddress(bus.address());
  const auto proxy =
      sdbus::createProxy(*connection, proto::BusName{kAsking}, sdbus::ObjectPath{"/org/dofa/Dofa1"});
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    try {
      proxy->callMethod("Reload").onInterface(org::dofa::Dofa1::Manager_adaptor::INTERFACE_NAME);
    } catch (const sdbus::Error& error) {
      refused += std::string(error.getName()) == "org.dofa.Dofa1.Error.NotAuthorized" ? 1 : 0;
    }
  }
  CHECK(refused == 3000);
}

TEST_CASE("a polkit that hangs holds up nobody, and is waited for only so long") {
  const PrivateBus bus;
  FakePolkit polkit(bus.address(), FakePolkit::Mood::kHangs);

  SECTION("others are decided meanwhile") {
    Authority authority(to(bus));
    Question slow(authority, kStranger, kReload);
    CHECK_FALSE(refusal(authority, {":1.5", 0}));
    while (polkit.asked().empty()) std::this_thread::sleep_for(1ms);
    polkit.set_mood(FakePolkit::Mood::kAllows);
    CHECK_FALSE(refusal(authority, kStranger, kLoadFamily));
    CHECK_FALSE(slow.decided_within(0ms));
    polkit.answer_held(true);
    REQUIRE(slow.decided_within(10s));
    CHECK(slow.answer.get().ok());
  }
  SECTION("until patience ends") {
    Authority authority(to(bus), 100ms);
    CHECK(refusal(authority, kStranger) == ErrorCode::kNotAuthorized);
    polkit.answer_held(true);  // too late, and without effect
  }
  SECTION("until the service stops") {
    auto authority = std::make_unique<Authority>(to(bus));
    Question pending(*authority, kStranger, kReload);
    authority.reset();
    REQUIRE(pending.decided_within(0ms));
    CHECK(pending.answer.get().error().code == ErrorCode::kNotReady);
  }
  SECTION("and only so many may wait") {
    std::atomic<std::size_t> decided = 0;
    Authority authority(to(bus));
    for (std::size_t i = 0; i < Authority::kMostPending; ++i)
      authority.check(kStranger, kReload, [&](const Result<void>&) { ++decided; });
    CHECK(refusal(authority, kStranger) == ErrorCode::kResourceExhausted);
    CHECK(decided == 0);
  }
}

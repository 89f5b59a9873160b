// SPDX-License-Identifier: Apache-2.0
// libdofa-client against a fake service on a private bus.
#include <dofa/client.hpp>

#include <fcntl.h>

#include <atomic>
#include <thread>

#include "proto/names.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/private_bus.hpp"
#include "tests/unit/client/fake_service.hpp"

using namespace dofa::client;
using dofa::test::FakeService;
using dofa::test::PrivateBus;
using namespace std::chrono_literals;

namespace {

constexpr auto kPatience = 10s;

struct Setup {
  PrivateBus bus;
  FakeService service{bus.address()};
  Client client = Client::connect({.bus = bus.address(), .timeout = kPatience});
};

/// A grey image of w x h whose first byte can be told apart.
struct Picture {
  explicit Picture(unsigned char first, std::uint32_t w = 4, std::uint32_t h = 2)
      : pixels(std::size_t{w} * h, std::byte{0x55}), width(w), height(h) {
    pixels.front() = std::byte{first};
  }
  [[nodiscard]] Frame frame() const {
    return {.pixels = pixels, .width = width, .height = height, .format = PixelFormat::kGray8};
  }
  std::vector<std::byte> pixels;
  std::uint32_t width;
  std::uint32_t height;
};

template <class Call>
ErrorCode code_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    INFO(error.what());
    CHECK(std::string(error.what()).find('\n') == std::string::npos);
    return error.code();
  }
  FAIL("nothing was thrown");
  return ErrorCode::kFailed;
}

template <class T>
bool ready(const std::future<T>& future) {
  return future.wait_for(kPatience) == std::future_status::ready;
}

}  // namespace

TEST_CASE("a bus that is not there is unreachable, and so is a bus without the service") {
  CHECK(code_of([] { Client::connect({.bus = "unix:path=/nonexistent/socket"}); }) ==
        ErrorCode::kUnreachable);
  CHECK(code_of([] { Client::connect({.bus = "no address"}); }) == ErrorCode::kUnreachable);
  const PrivateBus bus;
  const auto client = Client::connect({.bus = bus.address()});
  CHECK(code_of([&] { (void)client.service(); }) == ErrorCode::kUnreachable);
  CHECK(code_of([&] { (void)client.families(); }) == ErrorCode::kUnreachable);
}

TEST_CASE("what the service says about itself arrives as structs") {
  Setup setup;
  const auto service = setup.client.service();
  CHECK(service.version == "1.2.3");
  CHECK(service.state == "running");
  REQUIRE(service.processors.size() == 1);
  CHECK(service.processors[0].name == "cpu");
  CHECK(service.processors[0].lanes == 2U);
  CHECK(service.processors[0].slowdown == 1.25);
  CHECK_FALSE(service.processors[0].temperature_celsius.has_value());

  const auto family = setup.client.family("pets");
  CHECK(family.labels == std::vector<std::string>{"cat", "dog"});
  REQUIRE(family.subnets.size() == 2);
  CHECK_FALSE(family.subnets[0].top1.has_value());
  CHECK(family.subnets[0].profiles.empty());
  CHECK(family.subnets[1].macs == 566'000'000U);
  CHECK(family.subnets[1].profiles.at("cpu").latency_us == 12'345);
  CHECK(family.subnets[1].profiles.at("cpu").provisional);
  CHECK(code_of([&] { (void)setup.client.family("plants"); }) == ErrorCode::kNotFound);
}

TEST_CASE("sessions of everybody are listed in the order of their numbers") {
  Setup setup;
  for (int i = 0; i < 4; ++i) setup.service.open_session("camera", {});  // 7, 8, 9 and 10
  const auto sessions = setup.client.sessions();
  REQUIRE(sessions.size() == 4);
  CHECK(sessions[0].id == "7");
  CHECK(sessions[3].id == "10");
  CHECK(sessions[0].application == "camera");
  CHECK(sessions[0].family == "pets");  // not its object path
  CHECK(sessions[0].frames == 100);
  CHECK(sessions[0].attainment != sessions[0].attainment);
}

TEST_CASE("a contract travels with the types that the interface documents") {
  Setup setup;
  const Contract contract{.latency_budget_us = 30'000,
                          .min_accuracy = 0.7,
                          .period_us = 40'000,
                          .objective = "latency",
                          .percentile = 0.99,
                          .priority = 3,
                          .when_late = "drop",
                          .level = 1,
                          .processor = "cpu"};
  const auto session = setup.client.open_session("test", "pets", contract);
  const auto sent = setup.service.last_dictionary();
  CHECK(sent.size() == 9);
  CHECK(sent.at("latency-budget-us").get<std::uint64_t>() == 30'000);
  CHECK(sent.at("min-accuracy").get<double>() == 0.7);
  CHECK(sent.at("period-us").get<std::uint64_t>() == 40'000);
  CHECK(sent.at("objective").get<std::string>() == "latency");
  CHECK(sent.at("percentile").get<double>() == 0.99);
  CHECK(sent.at("priority").get<std::uint32_t>() == 3);
  CHECK(sent.at("when-late").get<std::string>() == "drop");
  CHECK(sent.at("level").get<std::uint32_t>() == 1);
  CHECK(sent.at("processor").get<std::string>() == "cpu");
  const auto info = session.info();
  CHECK(info.id == session.id());
  CHECK(info.family == "pets");
  CHECK(info.contract == contract);
}

TEST_CASE("only the keys that are set are changed, on any session that exists") {
  Setup setup;
  const auto id = setup.service.open_session("other", {});
  auto session = setup.client.session(id);
  session.set_contract({.priority = 5});
  CHECK(setup.service.last_dictionary().size() == 1);
  CHECK(session.info().contract == Contract{.priority = 5});
  CHECK(code_of([&] { (void)setup.client.session("999"); }) == ErrorCode::kNotFound);
  CHECK(code_of([&] { (void)setup.client.session("../7"); }) == ErrorCode::kNotFound);
}

TEST_CASE("a handle on another's session leaves it open, one's own session closes with its object") {
  Setup setup;
  const auto id = setup.service.open_session("other", {});
  { const auto handle = setup.client.session(id); }
  { const auto own = setup.client.open_session("mine", "pets"); }
  REQUIRE(setup.service.saw("Close"));
  setup.client.reload();  // ordered behind everything sent before
  CHECK_FALSE(setup.client.session(id).id().empty());
  const auto sessions = setup.client.sessions();
  CHECK(std::ranges::any_of(sessions, [&](const SessionInfo& session) { return session.id == id; }));
}

TEST_CASE("a frame arrives sealed, with its format, and its answer comes back whole") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  const Picture picture(42, 6, 5);
  auto frame = picture.frame();
  frame.stride = 6;
  const auto answer = session.infer(frame, {.top_k = 2, .deadline_us = 7'000});

  const auto seen = setup.service.last_frame();
  CHECK((seen.seals & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)) ==
        (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
  REQUIRE(seen.pixels.size() == 30);
  CHECK(seen.pixels[0] == 42);
  CHECK(seen.pixels[29] == 0x55);
  CHECK(seen.format.at("width").get<std::uint32_t>() == 6);
  CHECK(seen.format.at("height").get<std::uint32_t>() == 5);
  CHECK(seen.format.at("format").get<std::string>() == "gray8");
  CHECK(seen.format.at("stride").get<std::uint32_t>() == 6);
  CHECK(seen.format.at("top-k").get<std::uint32_t>() == 2);
  CHECK(seen.format.at("deadline-us").get<std::uint64_t>() == 7'000);

  REQUIRE(answer.top.size() == 2);
  CHECK(answer.top[0].class_index == 42);
  CHECK(answer.top[0].probability == 0.75);
  CHECK(answer.sequence == 9);
  CHECK(answer.level == 1);
  CHECK(answer.subnet == "large");
  CHECK(answer.processor == "cpu");
  CHECK(answer.late);
  CHECK(answer.queue_us == 10);
  CHECK(answer.preprocess_us == 200);
  CHECK(answer.inference_us == 3'000);
}

TEST_CASE("frames on their way together get each its own answer, in whatever order") {
  Setup setup;
  setup.service.hold_frames(true);
  auto session = setup.client.open_session("test", "pets");
  std::vector<std::future<Answer>> futures;
  for (unsigned char i = 0; i < 10; ++i) futures.push_back(session.infer_async(Picture(i).frame()));
  setup.service.answer_held(10);
  for (std::uint32_t i = 0; i < 10; ++i) {
    REQUIRE(ready(futures[i]));
    CHECK(futures[i].get().top[0].class_index == i);
  }
}

TEST_CASE("threads may share a session") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (unsigned char t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) right += session.infer(Picture(t).frame()).top[0].class_index == t ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(right == 100);
}

TEST_CASE("an answer that does not come in time is a timeout") {
  const PrivateBus bus;
  FakeService service(bus.address());
  service.hold_frames(true);
  auto client = Client::connect({.bus = bus.address(), .timeout = 50ms});
  auto session = client.open_session("test", "pets");
  CHECK(code_of([&] { session.infer(Picture(1).frame()); }) == ErrorCode::kTimedOut);
}

TEST_CASE("frames still waiting when their session object goes are cancelled") {
  Setup setup;
  setup.service.hold_frames(true);
  std::future<Answer> future;
  {
    auto session = setup.client.open_session("test", "pets");
    future = session.infer_async(Picture(1).frame());
    REQUIRE(setup.service.saw("Infer"));
  }
  REQUIRE(ready(future));
  CHECK(code_of([&] { future.get(); }) == ErrorCode::kCancelled);
}

TEST_CASE("every error name of the service becomes its code, an unknown one a failure") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  for (std::size_t i = 0; i < dofa::proto::kErrorNames.size(); ++i) {
    setup.service.fail("SetContract",
                       std::string(dofa::proto::kErrorPrefix) + std::string(dofa::proto::kErrorNames[i]));
    const auto code = code_of([&] { session.set_contract({.level = 1}); });
    CHECK(code == static_cast<ErrorCode>(i));
    CHECK(name_of(code) == dofa::proto::kErrorNames[i]);
  }
  setup.service.fail("SetContract", "org.dofa.Dofa1.Error.FromTheFuture");
  CHECK(code_of([&] { session.set_contract({.level = 1}); }) == ErrorCode::kFailed);
  setup.service.fail("SetContract", "org.freedesktop.DBus.Error.AccessDenied");
  CHECK(code_of([&] { session.set_contract({.level = 1}); }) == ErrorCode::kNotAuthorized);
  setup.service.fail("Infer", "org.dofa.Dofa1.Error.MissedDeadline");
  CHECK(code_of([&] { session.infer(Picture(1).frame()); }) == ErrorCode::kMissedDeadline);
}

TEST_CASE("administrators' calls name what they are about") {
  Setup setup;
  CHECK(setup.client.load_family("/srv/pets") == "pets");
  CHECK(setup.service.last_dictionary().at("directory").get<std::string>() == "/srv/pets");
  setup.client.unload_family("pets", true);
  CHECK(setup.service.last_dictionary().at("force").get<bool>());
  setup.client.unload_family("pets");
  CHECK_FALSE(setup.service.last_dictionary().contains("force"));
  CHECK(code_of([&] { setup.client.unload_family("plants"); }) == ErrorCode::kNotFound);
  setup.client.reload();
  CHECK(setup.service.saw("Reload"));
}

TEST_CASE("a session's signals reach its handlers, which may make calls") {
  Setup setup;
  std::promise<SubnetChange> changed;
  std::promise<Contract> unmet;
  std::promise<std::string> closed;
  std::optional<Session> session;
  session = setup.client.open_session(
      "test", "pets", {},
      {.subnet_changed =
           [&](const SubnetChange& change) {
             session->infer(Picture(3).frame());
             changed.set_value(change);
           },
       .contract_unmet = [&](const std::string&, const Contract& nearest) { unmet.set_value(nearest); },
       .closed =
           [&](const std::string& reason) {
             session.reset();  // allowed in its own handler
             closed.set_value(reason);
           }});
  const std::string id = session->id();

  setup.service.emit_subnet_changed(id, "small");
  auto change = changed.get_future();
  REQUIRE(ready(change));
  const auto seen = change.get();
  CHECK(seen.from == "large");
  CHECK(seen.to == "small");
  CHECK(seen.processor == "cpu");
  CHECK(seen.reason == "load rose");
  CHECK(setup.service.last_frame().pixels[0] == 3);

  setup.service.emit_contract_unmet(id);
  auto nearest = unmet.get_future();
  REQUIRE(ready(nearest));
  CHECK(nearest.get() == Contract{.latency_budget_us = 40'000});

  setup.service.close_session(id, "family unloaded");
  auto reason = closed.get_future();
  REQUIRE(ready(reason));
  CHECK(reason.get() == "family unloaded");
  CHECK_FALSE(session.has_value());
}

TEST_CASE("an asynchronous frame's handler gets the answer or the error, and may throw") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  std::promise<Outcome> good;
  std::promise<Outcome> bad;
  session.infer_async(Picture(8).frame(), {}, [&](const Outcome& outcome) {
    good.set_value(outcome);
    throw std::runtime_error("ignored");
  });
  auto answer = good.get_future();
  REQUIRE(ready(answer));
  CHECK(answer.get().answer->top[0].class_index == 8);
  setup.service.fail("Infer", "org.dofa.Dofa1.Error.ResourceExhausted");
  session.infer_async(Picture(8).frame(), {}, [&](const Outcome& outcome) { bad.set_value(outcome); });
  auto error = bad.get_future();
  REQUIRE(ready(error));
  CHECK(error.get().error->code() == ErrorCode::kResourceExhausted);
}

TEST_CASE("a client that loses its bus in the middle of a call gets an error and lives on") {
  Setup setup;
  setup.service.hold_frames(true);
  auto session = setup.client.open_session("test", "pets");
  auto future = session.infer_async(Picture(1).frame());
  REQUIRE(setup.service.saw("Infer"));
  setup.bus.stop();
  REQUIRE(ready(future));
  CHECK(code_of([&] { future.get(); }) == ErrorCode::kUnreachable);
  CHECK(code_of([&] { (void)setup.client.service(); }) == ErrorCode::kUnreachable);
  CHECK(code_of([&] { session.infer(Picture(1).frame()); }) == ErrorCode::kUnreachable);
}

TEST_CASE("a service that goes in the middle of a call is unreachable") {
  const PrivateBus bus;
  auto service = std::make_unique<FakeService>(bus.address());
  service->hold_frames(true);
  auto client = Client::connect({.bus = bus.address(), .timeout = kPatience});
  auto session = client.open_session("test", "pets");
  auto future = session.infer_async(Picture(1).frame());
  REQUIRE(service->saw("Infer"));
  service.reset();
  REQUIRE(ready(future));
  CHECK(code_of([&] { future.get(); }) == ErrorCode::kUnreachable);
}

TEST_CASE("a watch tells what happens to anyone, in order, and nothing after its end") {
  using Kind = Event::Kind;
  const PrivateBus bus;
  auto service = std::make_unique<FakeService>(bus.address());
  const auto before = service->open_session("earlier", {});
  const auto client = Client::connect({.bus = bus.address(), .timeout = kPatience});

  std::mutex mutex;
  std::condition_variable arrived;
  std::vector<Event> events;
  const auto wait_for = [&](std::size_t count) {
    std::unique_lock lock(mutex);
    REQUIRE(arrived.wait_for(lock, kPatience, [&] { return events.size() >= count; }));
  };
  std::optional<Watch> watch = client.watch([&](const Event& event) {
    const std::lock_guard lock(mutex);
    events.push_back(event);
    arrived.notify_all();
  });

  const auto id = service->open_session("camera", {});
  wait_for(1);
  CHECK(events[0].kind == Kind::kSessionOpened);
  CHECK(events[0].session == id);
  CHECK(events[0].application == "camera");
  CHECK(events[0].family == "pets");

  service->emit_subnet_changed(before, "small");
  wait_for(3);
  CHECK(events[1].kind == Kind::kSubnetChanged);
  CHECK(events[1].session == before);
  CHECK(events[1].subnet_change.to == "small");
  CHECK(events[2].kind == Kind::kSessionChanged);
  CHECK(events[2].changes == std::map<std::string, std::string>{{"Level", "1"}});

  service->emit_contract_unmet(id);
  wait_for(4);
  CHECK(events[3].kind == Kind::kContractUnmet);
  CHECK(events[3].nearest == Contract{.latency_budget_us = 40'000});

  service->close_session(id, "closed");
  wait_for(6);
  CHECK(events[4].kind == Kind::kSessionClosed);
  CHECK(events[4].reason == "closed");
  CHECK(events[5].kind == Kind::kSessionRemoved);
  CHECK(events[5].session == id);

  service.reset();
  wait_for(7);
  CHECK(events[6].kind == Kind::kServiceVanished);
  service = std::make_unique<FakeService>(bus.address());
  wait_for(8);
  CHECK(events[7].kind == Kind::kServiceAppeared);
  const auto again = service->open_session("camera", {});
  wait_for(9);
  CHECK(events[8].session == again);

  watch.reset();
  service->open_session("unheard", {});
  (void)client.sessions();  // whatever was sent before its answer has arrived
  const std::lock_guard lock(mutex);
  CHECK(events.size() == 9);
}

// SPDX-License-Identifier: Apache-2.0
// The main job on the real daemon: frames go in, labels come out, clients come and go.
#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <dofa/client.hpp>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/daemon.hpp"
#include "tests/support/frames.hpp"
#include "tests/support/script_family.hpp"

using namespace dofa;
using namespace dofa::test;
using client::Client;

namespace {

/// A tenth of a second of work on this kind of machine: something to be killed in the middle of.
const char* const kSlowNet =
    "    s = torch.zeros([1])\n    for i in range(100000):\n        s = s + 1\n    c = x.mean([2, 3])\n"
    "    return torch.cat([c, s.reshape(1, 1) * 0.0], 1)\n";

struct Fixture {
  TemporaryDirectory home;
  std::unique_ptr<Daemon> daemon;

  explicit Fixture(const std::vector<ScriptLevel>& levels, const std::string& more = "") {
    write_script_family(home.path() / "colours", "colours", levels);
    daemon = std::make_unique<Daemon>("families:\n  roots: [" + home.path().string() + "]\n" + more);
  }
  [[nodiscard]] Client connect() const { return Client::connect({.bus = daemon->bus()}); }
};

}  // namespace

TEST_CASE("a frame goes in and its label comes back") {
  Fixture fixture({{"small", colour_net(5), "{top1: 0.5, top5: 1, dataset: colours, images: 4}"},
                   {"large", colour_net(20), "{top1: 0.75, top5: 1, dataset: colours, images: 4}"}});
  Client client = fixture.connect();
  const client::Family family = client.family("colours");
  REQUIRE(family.labels == std::vector<std::string>{"red", "green", "blue", "black"});
  REQUIRE(family.subnets.size() == 2);
  CHECK(family.subnets[1].top1 == 0.75);

  auto session = client.open_session("test", "colours");
  SECTION("in every colour, at the level that the contract fixes") {
    const std::vector<std::array<std::uint8_t, 3>> colours{{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {0, 0, 0}};
    for (const std::uint32_t level : {0U, 1U}) {
      session.set_contract({.level = level});
      CHECK(session.info().level == level);
      for (std::uint32_t i = 0; i < colours.size(); ++i) {
        const SolidFrame frame(64, 48, colours[i]);
        const client::Answer answer = session.infer(frame.view());
        REQUIRE(answer.top.size() == 4);
        CHECK(answer.top[0].class_index == i);
        CHECK(answer.level == level);
        // Softmax by hand: the frame's colour has logit gain, black has gain / 10, all else 0.
        const double gain = level == 0 ? 5.0 : 20.0;
        const double sum = i < 3 ? std::exp(gain) + 2 + std::exp(gain / 10) : 3 + std::exp(gain / 10);
        const double expected = std::exp(i < 3 ? gain : gain / 10) / sum;
        CHECK(answer.top[0].probability == Catch::Approx(expected).epsilon(1e-4));
      }
    }
    const auto info = session.info();
    CHECK(info.frames == 8);
    CHECK(info.missed_deadlines == 0);
    CHECK(info.attainment == 1.0);
    CHECK(info.expected_latency_us > 0);
  }
  SECTION("of any size and stride") {
    for (const auto& [width, height, padding] : std::vector<std::array<std::uint32_t, 3>>{
             {1, 1, 0}, {3, 5, 1}, {32, 32, 0}, {33, 31, 7}, {2000, 3, 0}, {1920, 1080, 64}}) {
      INFO(width << " x " << height << " + " << padding);
      const SolidFrame frame(width, height, {0, 255, 0}, padding);
      CHECK(session.infer(frame.view()).top[0].class_index == 1);
    }
  }
  SECTION("and a change of level is announced with its reason") {
    std::promise<client::SubnetChange> changed;
    auto watched = client.open_session(
        "watched", "colours", {}, {.subnet_changed = [&](const auto& change) { changed.set_value(change); }});
    watched.set_contract({.level = 0});
    auto future = changed.get_future();
    REQUIRE(future.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
    const auto change = future.get();
    CHECK(change.from == "large");
    CHECK(change.to == "small");
    CHECK_FALSE(change.reason.empty());
  }
}

TEST_CASE("eight clients send a thousand frames and each gets its own answers") {
  Fixture fixture({ScriptLevel{"only", colour_net()}});
  std::atomic<int> right = 0;
  std::vector<std::thread> clients;
  for (std::uint32_t i = 0; i < 8; ++i) {
    clients.emplace_back([&, i] {
      Client client = fixture.connect();
      auto session = client.open_session("client " + std::to_string(i), "colours");
      for (std::uint32_t k = 0; k < 125; ++k) {
        const std::uint32_t colour = (i + k) % 3;
        std::array<std::uint8_t, 3> rgb{};
        rgb[colour] = 255;
        const SolidFrame frame(40 + i, 40, rgb);
        if (session.infer(frame.view()).top.at(0).class_index == colour) ++right;
      }
    });
  }
  for (std::thread& thread : clients) thread.join();
  CHECK(right == 1000);
}

TEST_CASE("a client killed in the middle of a call loses its session within a second and nothing else") {
  Fixture fixture({{"fast", colour_net()}, {"slow", kSlowNet}});
  Client observer = fixture.connect();
  const auto before = observer.sessions().size();
  auto mine = observer.open_session("survivor", "colours", {.level = 0});

  const std::filesystem::path photo = fixture.home.path() / "photo.png";
  SolidFrame(64, 64, {255, 0, 0}).save(photo);
  Process victim({Daemon::program("dofactl"), "--bus", fixture.daemon->bus(), "classify", "--level", "1",
                  photo.string()},
                 fixture.home.path() / "victim.log");
  REQUIRE(eventually([&] {
    const auto sessions = observer.sessions();
    return std::any_of(sessions.begin(), sessions.end(),
                       [](const auto& s) { return s.level == 1 && s.frames > 0; });
  }));
  victim.signal(SIGKILL);
  REQUIRE(victim.wait() == 128 + SIGKILL);
  CHECK(eventually([&] { return observer.sessions().size() == before + 1; }, 1000));
  CHECK(mine.infer(SolidFrame(32, 32, {0, 0, 255}).view()).top[0].class_index == 2);
}

TEST_CASE("frames beyond the session's queue are refused by name, the others are answered") {
  Fixture fixture({{"fast", colour_net()}, {"slow", kSlowNet}}, "limits:\n  queue: 2\n");
  Client client = fixture.connect();
  auto session = client.open_session("flood", "colours", {.level = 1});
  const SolidFrame frame(32, 32, {255, 0, 0});
  std::vector<std::future<client::Answer>> answers;
  for (int i = 0; i < 6; ++i) answers.push_back(session.infer_async(frame.view()));
  int served = 0;
  int refused = 0;
  for (auto& answer : answers) {
    try {
      (void)answer.get();
      ++served;
    } catch (const client::Error& error) {
      CHECK(error.code() == client::ErrorCode::kResourceExhausted);
      CHECK(std::string(error.what()).find("limits.queue") != std::string::npos);
      ++refused;
    }
  }
  CHECK(served >= 2);
  CHECK(refused >= 1);
  const auto info = session.info();
  CHECK(info.frames == 6);
  CHECK(info.dropped == static_cast<std::uint64_t>(refused));
  CHECK(info.attainment == Catch::Approx(served / 6.0));
  CHECK(info.missed_deadlines == info.dropped);
}

TEST_CASE("frames that cannot be in time are dropped or delivered late, as the contract says") {
  Fixture fixture({ScriptLevel{"slow", kSlowNet}});
  Client client = fixture.connect();
  const SolidFrame frame(32, 32, {255, 0, 0});
  const std::uint64_t profile_us = client.family("colours").subnets.at(0).profiles.at("cpu").latency_us;
  REQUIRE(profile_us > 0);
  struct Outcomes {
    int in_time = 0;
    int late = 0;
    int dropped = 0;
  };
  // Six at once where the budget has room for two.
  const auto burst = [&](const std::string& when_late) {
    auto session = client.open_session("burst", "colours",
                                       {.latency_budget_us = profile_us * 3, .when_late = when_late});
    std::vector<std::future<client::Answer>> answers;
    for (int i = 0; i < 6; ++i) answers.push_back(session.infer_async(frame.view()));
    Outcomes outcomes;
    for (auto& answer : answers) {
      try {
        ++(answer.get().late ? outcomes.late : outcomes.in_time);
      } catch (const client::Error& error) {
        CHECK(error.code() == client::ErrorCode::kMissedDeadline);
        ++outcomes.dropped;
      }
    }
    const auto info = session.info();
    CHECK(info.frames == 6);
    CHECK(info.missed_deadlines == static_cast<std::uint64_t>(outcomes.late + outcomes.dropped));
    CHECK(info.dropped == static_cast<std::uint64_t>(outcomes.dropped));
    return outcomes;
  };
  const Outcomes delivered = burst("deliver");
  CHECK(delivered.dropped == 0);
  CHECK(delivered.late >= 1);
  const Outcomes dropped = burst("drop");
  CHECK(dropped.dropped >= 1);
}

TEST_CASE("a contract that no level keeps is refused with the nearest that would do") {
  Fixture fixture({ScriptLevel{"slow", kSlowNet}});
  Client client = fixture.connect();
  try {
    (void)client.open_session("hasty", "colours", {.latency_budget_us = 200});
    FAIL("it was accepted");
  } catch (const client::Error& error) {
    CHECK(error.code() == client::ErrorCode::kUnsatisfiable);
    CHECK(std::string(error.what()).find("latency-budget-us") != std::string::npos);
  }
}

// SPDX-License-Identifier: Apache-2.0
// Frame streams through the real daemon and bus, with nothing on the application's side but D-Bus and
// frame_ring.h.
#include <poll.h>

#include <csignal>
#include <filesystem>
#include <iterator>

#include "tests/support/bus_client.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/colours_service.hpp"
#include "tests/support/ring_client.hpp"

using namespace dofa;
using namespace dofa::test;

namespace {

constexpr std::uint32_t kSide = 32;

Dictionary format_of(Dictionary more = {}) {
  more.emplace("width", sdbus::Variant{kSide});
  more.emplace("height", sdbus::Variant{kSide});
  return more;
}

RingClient open_stream(BusSession& session, const Dictionary& format = format_of()) {
  auto [ring, doorbell] = session.OpenStream(format);
  return RingClient({control::UniqueFd(ring.release()), control::UniqueFd(doorbell.release())});
}

void draw(RingClient& client, std::uint32_t slot, std::uint32_t channel) {
  std::uint8_t* pixels = client.pixels(slot);
  for (std::uint32_t i = 0; i < kSide * kSide * 3; ++i) pixels[i] = i % 3 == channel ? 255 : 0;
}

/// The class that comes back for a frame of one pure colour.
std::uint32_t classify(RingClient& client, std::uint32_t slot, std::uint32_t channel,
                       std::uint64_t sequence) {
  draw(client, slot, channel);
  client.publish(slot, sequence);
  client.ring_bell();
  REQUIRE(client.wait_done(slot));
  const dofa_result& result = client.result(slot);
  INFO(std::string(result.message));
  REQUIRE(result.status == DOFA_STATUS_OK);
  REQUIRE(result.sequence == sequence);
  const std::uint32_t best = client.top(slot)[0].class_index;
  dofa_slot_release(&client.slot(slot));
  return best;
}

bool hangs_up(const RingClient& client) {
  return eventually([&] { return dofa_doorbell_drain(client.doorbell()) == -1; });
}

std::ptrdiff_t open_descriptors(const Process& process) {
  const std::filesystem::directory_iterator all("/proc/" + std::to_string(process.pid()) + "/fd");
  return std::distance(begin(all), end(all));
}

}  // namespace

TEST_CASE("frames stream through the real daemon") {
  const ColoursService service;
  Daemon& daemon = *service.daemon;
  auto connection = connect_to(daemon.bus());
  BusManager manager(*connection);
  const auto path = manager.OpenSession("streamer", "colours", {});
  BusSession session(*connection, path);

  SECTION("and come back with their classes, counted in the session's statistics") {
    RingClient client = open_stream(session, format_of({{"slots", sdbus::Variant{std::uint32_t{3}}}}));
    CHECK(client.ring().slots == 3);
    CHECK(client.ring().top_k == 5);
    for (std::uint32_t frame = 0; frame < 30; ++frame)
      CHECK(classify(client, frame % 3, frame % 3, frame) == frame % 3);
    CHECK(session.Frames() == 30);
    CHECK(session.Dropped() == 0);
    // Whoever watches may ask what became of them.
    const auto stranger = connect_to(daemon.bus());
    BusSession of_another(*stranger, path);
    const auto [next, frames] = of_another.RecentFrames(10);
    CHECK(next == 30);
    REQUIRE(frames.size() == 20);
    CHECK(std::get<0>(frames.front()) < std::get<0>(frames.back()));
    CHECK(std::get<2>(frames.back()) > 0);
    CHECK(std::get<3>(frames.back()) < 2);
    CHECK(std::get<4>(frames.back()) == 0);
  }

  SECTION("unless the format is wrong, which is said by name") {
    const auto with = [&](const std::string& key, sdbus::Variant value) {
      Dictionary format = format_of();
      format[key] = std::move(value);
      return error_of([&] { session.OpenStream(format); });
    };
    const std::string invalid = "InvalidArgument";
    CHECK(error_of([&] { session.OpenStream({}); }) == invalid);
    CHECK(with("colour", sdbus::Variant{std::string("red")}) == invalid);
    CHECK(with("format", sdbus::Variant{std::string("rgb9")}) == invalid);
    CHECK(with("slots", sdbus::Variant{std::uint32_t{0}}) == invalid);
    CHECK(with("slots", sdbus::Variant{std::string("4")}) == invalid);
    CHECK(with("slots", sdbus::Variant{std::uint32_t{100'000}}) == "ResourceExhausted");
    CHECK(with("top-k", sdbus::Variant{std::uint32_t{101}}) == invalid);
    CHECK(with("raw-output", sdbus::Variant{std::uint32_t{1}}) == invalid);
    CHECK(with("deadline-us", sdbus::Variant{std::uint64_t{1000}}) == invalid);
    CHECK(with("stride", sdbus::Variant{std::uint32_t{95}}) == invalid);
    CHECK(with("width", sdbus::Variant{std::uint32_t{16384}}) == "no error");  // 16384 x 32 fits
    CHECK(with("height", sdbus::Variant{std::uint32_t{16385}}) == invalid);
  }

  SECTION("one stream a session, for its owner only") {
    auto first = std::make_unique<RingClient>(open_stream(session));
    CHECK(error_of([&] { session.OpenStream(format_of()); }) == "Busy");
    first.reset();
    RingClient second = open_stream(session);
    CHECK(classify(second, 0, 2, 1) == 2);
    const auto stranger = connect_to(daemon.bus());
    BusSession of_another(*stranger, path);
    CHECK(error_of([&] { of_another.OpenStream(format_of()); }) == "NotAuthorized");
  }

  SECTION("until the session closes") {
    RingClient client = open_stream(session);
    session.Close();
    CHECK(hangs_up(client));
  }

  SECTION("until the owner's connection has gone") {
    auto owner = connect_to(daemon.bus());
    auto their_manager = std::make_unique<BusManager>(*owner);
    auto theirs = std::make_unique<BusSession>(*owner, their_manager->OpenSession("brief", "colours", {}));
    RingClient client = open_stream(*theirs);
    theirs.reset();
    their_manager.reset();
    owner.reset();
    CHECK(hangs_up(client));
  }

  SECTION("until the daemon is killed, which the doorbell tells at once") {
    RingClient client = open_stream(session);
    daemon.process().signal(SIGKILL);
    CHECK(hangs_up(client));
  }

  SECTION("and leave no descriptor behind") {
    { RingClient client = open_stream(session); }
    const auto before = open_descriptors(daemon.process());
    for (std::uint64_t round = 0; round < 50; ++round) {
      RingClient client = open_stream(session);
      draw(client, 0, 1);
      client.publish(0, round);
      client.ring_bell();  // and gone, answered or not
    }
    CHECK(eventually([&] { return open_descriptors(daemon.process()) <= before; }));
    RingClient client = open_stream(session);
    CHECK(classify(client, 0, 1, 1) == 1);
  }
}

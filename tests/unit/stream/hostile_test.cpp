// SPDX-License-Identifier: Apache-2.0
// Rings abused: whatever an application does to its ring's memory, or dies, the daemon stays whole and others
// are served. (Its doorbell: doorbell_test.cpp.)
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/unit/stream/rig.hpp"

using namespace dofa;
using namespace dofa::test;

namespace {

std::uint64_t fuzz_steps() {
  const char* steps = std::getenv("DOFA_STREAM_FUZZ_STEPS");
  return steps != nullptr ? std::strtoull(steps, nullptr, 10) : 30'000;
}

/// What the daemon has not taken off the doorbell yet; 0 = nothing.
int unheard_bells(int doorbell) {
  int bytes = 0;
  REQUIRE(ioctl(doorbell, SIOCOUTQ, &bytes) == 0);
  return bytes;
}

}  // namespace

TEST_CASE("steps that are not the application's to make are ignored") {
  Rig rig;
  const auto session = rig.open_session(lowest_level());
  RingClient client = rig.open_stream(session, honest_request());
  for (const std::uint32_t state : {2U, 3U, 4U, 77U, ~0U}) {  // only SUBMITTED submits
    dofa_slot_set_state(&client.slot(1), state);
    client.ring_bell();
  }
  rig.family->gate().close();
  client.publish(0, 1);
  client.ring_bell();
  rig.family->gate().wait_for_worker();
  for (const std::uint32_t state : {1U, 0U, 1U, 3U, 1U}) {  // taken: nothing submits it twice
    dofa_slot_set_state(&client.slot(0), state);
    client.ring_bell();
  }
  rig.family->gate().open();
  // A second stream's frame goes through the same thread behind those bells.
  RingClient other = rig.open_stream(rig.open_session(lowest_level()), honest_request());
  REQUIRE(serve_honestly(other, 4));
  REQUIRE(eventually([&] { return dofa_slot_state(&client.slot(0)) == DOFA_SLOT_DONE; }));
  CHECK(session->stats().frames() == 1);
}

TEST_CASE("a head that was scribbled over changes nothing for the daemon") {
  Rig rig;
  const auto session = rig.open_session(lowest_level());
  RingClient client = rig.open_stream(session, honest_request());
  const dofa_ring good = client.ring();
  std::memset(client.bytes(), 0xFF, offsetof(dofa_ring, refused));
  client.ring_bell();
  client.ring() = good;
  CHECK(serve_honestly(client, 10));
}

TEST_CASE(
    "an application that dies in the middle of an inference leaves its memory to the worker until it is "
    "done") {
  REQUIRE(mapped_rings() == 0);
  Rig rig;
  {
    RingClient dying = rig.open_stream(rig.open_session(lowest_level()), honest_request());
    rig.family->gate().close();
    dying.publish(0, 1);
    dying.publish(1, 2);
    dying.ring_bell();
    rig.family->gate().wait_for_worker();
    REQUIRE(eventually([&] { return dofa_slot_state(&dying.slot(1)) == DOFA_SLOT_TAKEN; }));
    CHECK(mapped_rings() == 2);  // ours and the daemon's
  }
  CHECK(eventually([&] { return rig.server.streams() == 0; }));
  CHECK(mapped_rings() == 1);  // two frames hold it
  rig.family->gate().open();
  CHECK(eventually([] { return mapped_rings() == 0; }));
}

TEST_CASE("an application that scribbles over every byte of its ring harms nobody else") {
  Rig rig({}, 2);
  auto request = honest_request();
  request.slots = 4;
  const auto mad_session = rig.open_session(lowest_level());
  RingClient mad = rig.open_stream(mad_session, request);
  RingClient honest = rig.open_stream(rig.open_session(lowest_level()), honest_request());
  std::atomic<bool> served = true;
  std::jthread neighbour([&](const std::stop_token& stop) {
    while (!stop.stop_requested() && served) served = serve_honestly(honest, 10);
  });
  std::mt19937 random(20260731);  // NOLINT(cert-msc51-cpp): the same steps every time
  const std::uint64_t slots_offset = mad.ring().slots_offset;
  const std::uint64_t slot_bytes = mad.ring().slot_bytes;
  const auto size = static_cast<std::uint32_t>(mad.size());
  // Not through the ring's own head, which is scribbled over as well.
  const auto slot = [&](std::uint32_t index) {
    return reinterpret_cast<dofa_slot*>(mad.bytes() + slots_offset + index * slot_bytes);
  };
  for (std::uint64_t step = 0, steps = fuzz_steps(); step < steps; ++step) {
    if (step % 1000 == 0) rig.deadline.restart();
    const std::uint32_t value = random();
    dofa_slot& target = *slot(random() % 4);
    switch (random() % 8) {
      case 0:  // any byte
        mad.bytes()[random() % size] = static_cast<std::uint8_t>(value);
        break;
      case 1:  // any word
        reinterpret_cast<std::uint32_t*>(mad.bytes())[random() % (size / 4)] = value;
        break;
      case 2:  // any state, likely ones first
        __atomic_store_n(&target.state, value % 5 != 4 ? value % 4 : value, __ATOMIC_RELEASE);
        break;
      case 3:  // a word of a header
        reinterpret_cast<std::uint32_t*>(&target.frame)[random() % 16] = value % 3 == 0 ? value : value % 20;
        break;
      case 4:  // a header that passes
        target.frame = {};
        target.frame.format = value % 6;
        target.frame.width = target.frame.height = 2 + value / 8 % 15 * 2 % 16;
        break;
      case 5:
        dofa_slot_publish(&target);
        break;
      case 6:
        (void)dofa_doorbell_ring(mad.doorbell());
        if (value % 8 == 0) REQUIRE(eventually([&] { return unheard_bells(mad.doorbell()) == 0; }));
        break;
      default:
        if (value % 4 == 0) (void)dofa_doorbell_drain(mad.doorbell());
    }
  }
  neighbour = {};  // asks it to stop, and waits
  CHECK(served);
  CHECK(rig.server.streams() == 2);
  // The daemon looked often enough for the scribbling to mean something.
  CHECK(mad_session->stats().frames() > fuzz_steps() / 300);
}

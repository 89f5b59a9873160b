// SPDX-License-Identifier: Apache-2.0
// One ring visited by the test itself: what a bell is good for, and who becomes a nuisance.
#include "daemon/stream/ring.hpp"

#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "daemon/stream/layout.hpp"
#include "daemon/stream/shared_memory.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/stream/rig.hpp"

using namespace dofa;
using namespace dofa::test;
using Visit = stream::Ring::Visit;

namespace {

/// A ring that no server knows of, and its application.
struct Alone {
  Rig rig;
  std::shared_ptr<control::Session> session = rig.open_session(lowest_level());
  std::shared_ptr<stream::Ring> ring;
  std::unique_ptr<RingClient> client;

  Alone() {
    const auto layout = stream::plan_ring(honest_request(), 10, {});
    REQUIRE(layout.ok());
    auto memory = stream::SharedMemory::create(layout->bytes);
    REQUIRE(memory.ok());
    auto doorbells = stream::make_doorbells();
    REQUIRE(doorbells.ok());
    control::StreamEnds ends{memory->take_fd(), std::move(doorbells->theirs)};
    ring = std::make_shared<stream::Ring>(rig.runtime, session, *layout, std::move(*memory),
                                          std::move(doorbells->ours));
    client = std::make_unique<RingClient>(std::move(ends));
  }
  Visit visit_with_bell() const {
    client->ring_bell();
    return ring->visit();
  }
  /// How many bells for nothing it takes until it is a nuisance.
  [[nodiscard]] int patience() const {
    int bells = 1;
    while (bells < 1000 && visit_with_bell() == Visit::kServed) ++bells;
    return bells;
  }
};

}  // namespace

TEST_CASE("a slot that was published is taken when the bell rings, not before") {
  const Alone alone;
  alone.client->publish(0, 1);
  CHECK(alone.ring->visit() == Visit::kServed);
  CHECK(dofa_slot_state(&alone.client->slot(0)) == DOFA_SLOT_SUBMITTED);
  CHECK(alone.visit_with_bell() == Visit::kServed);
  CHECK(alone.client->wait_done(0));
}

TEST_CASE("whoever rings for nothing is a nuisance until the next frame, who sends frames never is") {
  const Alone alone;
  for (std::uint64_t frame = 0; frame < 100; ++frame) {
    alone.client->publish(0, frame);
    REQUIRE(alone.visit_with_bell() == Visit::kServed);
    REQUIRE(alone.client->wait_done(0));
    dofa_slot_release(&alone.client->slot(0));
  }
  const int patience = alone.patience();
  CHECK(patience == 32);
  CHECK(alone.visit_with_bell() == Visit::kNuisance);
  alone.client->publish(0, 101);
  CHECK(alone.visit_with_bell() == Visit::kServed);
  REQUIRE(alone.client->wait_done(0));
  CHECK(alone.patience() == patience);
}

TEST_CASE("frames that are refused at once are no better than none") {
  const Alone alone;
  int visits = 1;
  for (; visits < 1000; ++visits) {
    alone.client->publish(0, 1);
    alone.client->slot(0).frame.width = 0;
    if (alone.visit_with_bell() != Visit::kServed) break;
    dofa_slot_release(&alone.client->slot(0));
  }
  CHECK(visits == 32);
}

TEST_CASE("an application that has closed its doorbell has gone") {
  const Alone alone;
  CHECK_FALSE(alone.ring->application_gone());
  alone.client->hang_up();
  CHECK(alone.ring->application_gone());
  CHECK(alone.ring->visit() == Visit::kGone);
}

TEST_CASE("a header that changes while it is read is used as it was checked, or refused") {
  const Alone alone;
  const RingClient& client = *alone.client;
  dofa_slot& slot = client.slot(0);
  std::memset(client.pixels(0), 100, client.ring().pixels_bytes);
  slot.frame.format = DOFA_FORMAT_RGB8;
  slot.frame.width = 16;
  slot.frame.height = 16;
  constexpr std::uint32_t kTooHigh = 40;  // its pixels would end behind the slot's room, in other memory
  const std::jthread flipper([&](const std::stop_token& stop) {
    for (std::uint32_t height = 16; !stop.stop_requested(); height = 16 + kTooHigh - height)
      __atomic_store_n(&slot.frame.height, height, __ATOMIC_RELAXED);
  });
  std::uint64_t refused = 0;
  std::uint64_t answered = 0;
  // Thousands of frames, or what a busy machine allows.
  const std::int64_t end = control::now_us() + 1'000'000;
  while (control::now_us() < end || refused == 0 || answered == 0) {
    dofa_slot_publish(&slot);
    (void)alone.visit_with_bell();
    REQUIRE(client.wait_done(0));
    const bool fine = client.result(0).status == DOFA_STATUS_OK;
    // A row of anything else would change the mean.
    if (fine) REQUIRE(client.raw(0)[0] == Approx(100).margin(0.01));
    ++(fine ? answered : refused);
    dofa_slot_release(&slot);
  }
}

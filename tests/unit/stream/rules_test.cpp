// SPDX-License-Identifier: Apache-2.0
// What streams may ask for and how they end: deadlines, rates, limits, hang-ups.
#include <sys/stat.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/unit/stream/rig.hpp"

using namespace dofa;
using namespace dofa::test;

TEST_CASE("a frame may relax the contract's deadline but never tighten it") {
  Rig rig;
  policy::Contract contract = lowest_level();
  contract.latency_budget_us = 20'000'000;
  contract.when_late = policy::WhenLate::kDrop;
  const auto session = rig.open_session(contract);
  RingClient client = rig.open_stream(session, square(16));
  // With 1 us it would be late before anybody looked at it; the contract's 20 s hold.
  client.publish(0, 1);
  client.slot(0).frame.deadline_us = 1;
  client.ring_bell();
  REQUIRE(client.wait_done(0));
  CHECK(client.result(0).status == DOFA_STATUS_OK);
  CHECK((client.result(0).flags & DOFA_RESULT_LATE) == 0);
}

TEST_CASE("an answer after the deadline says so, also where the frame relaxed it not far enough") {
  Rig rig;
  policy::Contract contract = lowest_level();
  contract.latency_budget_us = 10'000;
  RingClient client = rig.open_stream(rig.open_session(contract), square(16, 4));
  const std::uint64_t deadlines_us[] = {0, 11'000, 60'000'000};
  rig.family->gate().close();
  for (std::uint32_t slot = 0; slot < 3; ++slot) {
    client.publish(slot, slot);
    client.slot(slot).frame.deadline_us = deadlines_us[slot];
  }
  client.ring_bell();
  rig.family->gate().wait_for_worker();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  rig.family->gate().open();
  for (std::uint32_t slot = 0; slot < 3; ++slot) {
    INFO(slot);
    REQUIRE(client.wait_done(slot));
    CHECK(client.result(slot).status == DOFA_STATUS_OK);
    CHECK(((client.result(slot).flags & DOFA_RESULT_LATE) != 0) == (slot < 2));
  }
}

TEST_CASE("frames given up for a full ring are missed ones, however large the number claims to be") {
  Rig rig;
  const auto session = rig.open_session();
  RingClient client = rig.open_stream(session, square(16));
  for (int i = 0; i < 3; ++i) dofa_ring_count_refused(&client.ring());
  client.publish(0, 1);
  client.ring_bell();
  REQUIRE(client.wait_done(0));
  CHECK(session->stats().missed() == 3);
  CHECK(session->stats().frames() == 4);
  client.ring().refused = ~0ULL;
  dofa_slot_release(&client.slot(0));
  client.publish(0, 2);
  client.ring_bell();
  REQUIRE(client.wait_done(0));
  CHECK(session->stats().frames() < 200);
}

TEST_CASE("frames above the contract's rate say so") {
  Rig rig;
  policy::Contract contract;
  contract.period_us = 60'000'000;  // far beyond this test's life
  const auto session = rig.open_session(contract);
  RingClient client = rig.open_stream(session, square(16, 4));
  for (std::uint32_t slot = 0; slot < 4; ++slot) {
    client.publish(slot, slot);
    client.ring_bell();
    REQUIRE(client.wait_done(slot));
    REQUIRE(client.result(slot).status == DOFA_STATUS_OK);
    INFO(slot);
    CHECK(((client.result(slot).flags & DOFA_RESULT_BACKGROUND) != 0) == (slot >= 2));
  }
}

TEST_CASE("a session has one stream at a time, and the next once the first is closed") {
  Rig rig;
  const auto session = rig.open_session();
  auto first = std::make_unique<RingClient>(rig.open_stream(session, square(16)));
  const auto second = rig.server.open_stream(session, square(16));
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == ErrorCode::kBusy);
  first.reset();
  // Again and again: the service has often not yet heard that the former one was closed.
  for (int i = 0; i < 300; ++i) (void)rig.open_stream(session, square(16));
  RingClient third = rig.open_stream(session, square(16));
  third.publish(0, 1);
  third.ring_bell();
  CHECK(third.wait_done(0));
  CHECK(eventually([&] { return rig.server.streams() == 1; }));
}

TEST_CASE("a user's rings together have a limit, of which other users' rings take nothing") {
  config::LimitOptions limits;
  limits.ring_bytes_per_uid = 60'000;
  Rig rig(limits);
  const auto open = [&](std::uint32_t uid) {
    return rig.server.open_stream(rig.open_session({}, uid), square(64, 2));
  };
  const auto first = open(1000);  // 2 slots of 16 kB and a page
  REQUIRE(first.ok());
  const auto second = open(1000);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == ErrorCode::kResourceExhausted);
  CHECK(second.error().message.find("limits.ring_bytes_per_uid") != std::string::npos);
  CHECK(open(1001).ok());
}

TEST_CASE("rings still held by frames count against their user's limit") {
  config::LimitOptions limits;
  limits.ring_bytes_per_uid = 60'000;
  Rig rig(limits);
  const auto session = rig.open_session(lowest_level());
  {
    RingClient first = rig.open_stream(session, square(64, 2));
    rig.family->gate().close();
    first.publish(0, 1);
    first.ring_bell();
    rig.family->gate().wait_for_worker();
  }
  const auto refused = rig.server.open_stream(session, square(64, 2));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kResourceExhausted);
  rig.family->gate().open();
  CHECK(eventually([&] { return rig.server.open_stream(session, square(64, 2)).ok(); }));
}

TEST_CASE("when a session closes, waiting frames are cancelled, answered, and the service hangs up") {
  Rig rig;
  const auto session = rig.open_session();
  RingClient client = rig.open_stream(session, square(16));
  rig.family->gate().close();
  client.publish(0, 1);
  client.ring_bell();
  rig.family->gate().wait_for_worker();
  client.publish(1, 2);
  client.ring_bell();
  REQUIRE(eventually([&] { return dofa_slot_state(&client.slot(1)) == DOFA_SLOT_TAKEN; }));
  rig.runtime.close_session(session, "closed");
  rig.server.close_stream(*session);
  CHECK(client.wait_done(1));
  CHECK(client.result(1).status == DOFA_STATUS_CANCELLED);
  CHECK(eventually([&] { return dofa_doorbell_drain(client.doorbell()) == -1; }));
  CHECK(rig.server.streams() == 0);
  rig.family->gate().open();  // the frame that was running is still answered
  CHECK(eventually([&] { return dofa_slot_state(&client.slot(0)) == DOFA_SLOT_DONE; }));
  const auto again = rig.server.open_stream(session, square(16));
  REQUIRE_FALSE(again.ok());
  CHECK(again.error().code == ErrorCode::kCancelled);
}

TEST_CASE("frames that find no memory fail alone") {
  Rig rig;
  RingClient client = rig.open_stream(rig.open_session(lowest_level()), honest_request());
  rig.family->out_of_memory = 2;
  for (const std::uint64_t frame : {1U, 2U}) {
    client.publish(0, frame);
    client.ring_bell();
    REQUIRE(client.wait_done(0));
    CHECK(client.result(0).status == DOFA_STATUS_FAILED);
    dofa_slot_release(&client.slot(0));
  }
  CHECK(serve_honestly(client, 10));
}

TEST_CASE(
    "an application that keeps the memory of its closed stream keeps the results, and no pixels on our "
    "account") {
  Rig rig;
  const auto allocated = [](const RingClient& of) {
    struct stat status {};
    REQUIRE(fstat(of.ring_fd(), &status) == 0);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
  };
  RingClient client = rig.open_stream(rig.open_session(lowest_level()), square(256));
  for (std::uint32_t slot = 0; slot < 4; ++slot) {
    std::memset(client.pixels(slot), 0xFF, client.ring().pixels_bytes);
    client.publish(slot, 40 + slot);
  }
  client.ring_bell();
  for (std::uint32_t slot = 0; slot < 4; ++slot) REQUIRE(client.wait_done(slot));
  CHECK(allocated(client) >= 4 * client.ring().pixels_bytes);
  client.hang_up();
  CHECK(eventually([&] { return allocated(client) < client.ring().pixels_bytes; }));
  for (std::uint32_t slot = 0; slot < 4; ++slot) CHECK(client.result(slot).sequence == 40 + slot);
}

TEST_CASE("a server that goes while frames are on their way hangs up and leaves them to the runtime") {
  auto rig = std::make_unique<Rig>();
  auto server = std::make_unique<stream::Server>(rig->runtime);
  auto ends = server->open_stream(rig->open_session(lowest_level()), honest_request());
  REQUIRE(ends.ok());
  RingClient client(std::move(*ends));
  rig->family->gate().close();
  client.publish(0, 1);
  client.ring_bell();
  rig->family->gate().wait_for_worker();
  server.reset();
  CHECK(dofa_doorbell_drain(client.doorbell()) == -1);
  rig->family->gate().open();
  rig.reset();
  CHECK(dofa_slot_state(&client.slot(0)) == DOFA_SLOT_DONE);
}

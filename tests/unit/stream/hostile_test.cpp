// SPDX-License-Identifier: Apache-2.0
// Streams abused: whatever an application does to its ring and its doorbell, the daemon stays whole and
// others are served.
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

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

/// Runs `abuse` again and again while an honest application is served.
template <class F>
void serve_beside(Rig& rig, F&& abuse) {
  RingClient honest = rig.open_stream(rig.open_session(lowest_level()), honest_request());
  std::atomic<bool> stop = false;
  std::thread abuser([&] {
    while (!stop.load(std::memory_order_relaxed)) abuse();
  });
  const bool served = serve_honestly(honest, 300);
  stop = true;
  abuser.join();
  CHECK(served);
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

TEST_CASE("a doorbell that is never drained costs only its owner") {
  Rig rig;
  RingClient deaf = rig.open_stream(rig.open_session(lowest_level()), honest_request());
  // Blocking is a property of the application's own end; the daemon must not come to wait on it.
  const int flags = fcntl(deaf.doorbell(), F_GETFL);
  REQUIRE(fcntl(deaf.doorbell(), F_SETFL, flags & ~O_NONBLOCK) == 0);
  const int smallest = 1;
  REQUIRE(setsockopt(deaf.doorbell(), SOL_SOCKET, SO_RCVBUF, &smallest, sizeof smallest) == 0);
  for (std::uint64_t frame = 0; frame < 2000; ++frame) {  // far more bells than any queue holds
    deaf.publish(0, frame);
    REQUIRE(dofa_doorbell_ring(deaf.doorbell()) == 0);
    REQUIRE(eventually([&] { return dofa_slot_state(&deaf.slot(0)) == DOFA_SLOT_DONE; }));
    dofa_slot_release(&deaf.slot(0));
  }
  RingClient honest = rig.open_stream(rig.open_session(lowest_level()), honest_request());
  CHECK(serve_honestly(honest, 20));
}

TEST_CASE("a doorbell that is flooded does not keep others from being served") {
  Rig rig;
  RingClient flood = rig.open_stream(rig.open_session(lowest_level()), honest_request());
  serve_beside(rig, [&] {
    char noise[4096] = {};
    (void)send(flood.doorbell(), noise, sizeof noise, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)dofa_doorbell_ring(flood.doorbell());
  });
  CHECK(serve_honestly(flood, 10));  // muted for moments only
}

TEST_CASE("descriptors sent through a doorbell are dropped") {
  Rig rig;
  RingClient client = rig.open_stream(rig.open_session(lowest_level()), honest_request());
  char bell = 0;
  iovec content{&bell, 1};
  alignas(cmsghdr) char control_bytes[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  message.msg_control = control_bytes;
  message.msg_controllen = sizeof control_bytes;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const control::UniqueFd kept(ends[0]);
  control::UniqueFd sent(ends[1]);
  std::memcpy(CMSG_DATA(header), &ends[1], sizeof(int));
  REQUIRE(sendmsg(client.doorbell(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1);
  sent = {};  // the only one left is on its way to the daemon
  CHECK(
      eventually([&] { return recv(kept.get(), &bell, 1, MSG_DONTWAIT) == 0; }));  // hung up: nobody holds it
  CHECK(serve_honestly(client, 2));
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

TEST_CASE("an application that scribbles over every byte of its ring harms nobody else") {
  Rig rig({}, 2);
  auto request = honest_request();
  request.slots = 4;
  const auto mad_session = rig.open_session(lowest_level());
  RingClient mad = rig.open_stream(mad_session, request);
  RingClient honest = rig.open_stream(rig.open_session(lowest_level()), honest_request());
  std::atomic<bool> stop = false;
  std::atomic<bool> served = true;
  std::thread neighbour([&] {
    while (!stop.load(std::memory_order_relaxed) && served) served = serve_honestly(honest, 10);
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
  stop = true;
  neighbour.join();
  CHECK(served);
  CHECK(rig.server.streams() == 2);
  // The daemon looked often enough for the scribbling to mean something.
  CHECK(mad_session->stats().frames() > fuzz_steps() / 300);
}

// SPDX-License-Identifier: Apache-2.0
// Doorbells abused: never drained, flooded, rung for nothing, sent what is no bell. Others are served.
#include <fcntl.h>
#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/unit/stream/rig.hpp"

using namespace dofa;
using namespace dofa::test;

namespace {

/// Runs `abuse` again and again while an honest application is served.
template <class F>
void serve_beside(Rig& rig, F&& abuse) {
  RingClient honest = rig.open_stream(rig.open_session(lowest_level()), honest_request());
  const std::jthread abuser([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) abuse();
  });
  CHECK(serve_honestly(honest, 300));
}

}  // namespace

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
  int queued = 0;  // bells are the daemon's memory
  char bell = 0;
  while (recv(deaf.doorbell(), &bell, 1, MSG_DONTWAIT) == 1) ++queued;
  CHECK(queued > 0);
  CHECK(queued < 100);
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

TEST_CASE("an application that rings for nothing is heard in moments only") {
  Rig rig;
  const RingClient idle = rig.open_stream(rig.open_session(lowest_level()), honest_request());
  constexpr std::uint64_t kQuiet = 200;  // what is heard before the first muting, and what its queue holds
  constexpr std::uint64_t kPerMs = 40;   // a visit's and the queue's; unmuted it is hundreds
  std::uint64_t bells = 0;
  std::int64_t elapsed_us = 0;
  for (const std::int64_t start = control::now_us(); elapsed_us < 200'000;
       elapsed_us = control::now_us() - start) {
    const char bell = 1;
    if (send(idle.doorbell(), &bell, sizeof bell, MSG_DONTWAIT | MSG_NOSIGNAL) == 1) ++bells;
  }
  // Not a time that something takes: the longer all this takes, the more may be heard.
  CHECK(bells < kQuiet + kPerMs * static_cast<std::uint64_t>(elapsed_us / 1000));
  CHECK(bells > 32);
}

TEST_CASE("no frame goes unheard between an idle lane and the stream thread, however close bells come") {
  Rig rig({}, 2);
  std::vector<RingClient> clients;
  for (std::uint32_t i = 0; i < 20; ++i)  // more than a lane hears at once
    clients.push_back(rig.open_stream(rig.open_session(lowest_level(), 1000 + i % 2), honest_request()));
  std::minstd_rand random(1);
  for (std::uint64_t round = 0; round < 1000; ++round) {
    for (const std::uint32_t slot : {0U, 1U}) {
      for (RingClient& client : clients) {
        client.publish(slot, round);
        REQUIRE(dofa_doorbell_ring(client.doorbell()) == 0);
        for (auto pause = random() % 400; pause > 0; --pause)
          std::atomic_signal_fence(std::memory_order_seq_cst);
      }
    }
    for (RingClient& client : clients) {
      for (const std::uint32_t slot : {0U, 1U}) {
        REQUIRE(client.wait_done(slot));
        REQUIRE(client.result(slot).status == DOFA_STATUS_OK);
        REQUIRE(client.result(slot).sequence == round);
        dofa_slot_release(&client.slot(slot));
      }
    }
  }
}

TEST_CASE("half a hang-up ends a stream, whether its lane sleeps or works") {
  Rig rig;
  const bool lane_works = GENERATE(false, true);
  if (lane_works) rig.family->gate().close();
  RingClient client = rig.open_stream(rig.open_session(lowest_level()), honest_request());
  if (lane_works) {
    client.publish(0, 1);
    client.ring_bell();
    REQUIRE(eventually([&] { return dofa_slot_state(&client.slot(0)) == DOFA_SLOT_TAKEN; }));
  }
  REQUIRE(shutdown(client.doorbell(), SHUT_WR) == 0);
  CHECK(eventually([&] { return rig.server.streams() == 0; }));
  rig.family->gate().open();
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

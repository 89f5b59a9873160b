// SPDX-License-Identifier: Apache-2.0
// Doorbells abused: never drained, flooded, rung for nothing, sent what is no bell. Others are served.
#include <fcntl.h>
#include <sys/socket.h>

#include <cstring>
#include <thread>

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
  constexpr std::uint64_t kPerMs = 10;   // unmuted it is tens of thousands in all
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

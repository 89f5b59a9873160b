// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/lane_sleep.hpp"

#include <sys/socket.h>

#include <vector>

#include "tests/support/catch.hpp"

using namespace dofa::control;

namespace {

constexpr std::int64_t kLong = 10'000'000;  // a test that waits so long has failed
constexpr std::int64_t kShort = 1000;

struct Doorbell {
  UniqueFd ours;
  UniqueFd theirs;
  Doorbell() {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    ours = UniqueFd(ends[0]);
    theirs = UniqueFd(ends[1]);
  }
  void ring() const { REQUIRE(send(theirs.get(), "", 1, MSG_DONTWAIT) == 1); }
};

std::vector<std::uint64_t> heard(LaneSleep& sleep, std::int64_t patience_us) {
  const auto rung = sleep.wait(patience_us);
  return {rung.begin(), rung.end()};
}

}  // namespace

TEST_CASE("a sleeping lane is woken, once a wake, also by one that came before") {
  LaneSleep sleep;
  sleep.wake();
  sleep.wake();
  CHECK(heard(sleep, kLong).empty());   // at once
  CHECK(heard(sleep, kShort).empty());  // both wakes were one
}

TEST_CASE("each bell is heard once, whether or not somebody takes it off") {
  LaneSleep sleep;
  const Doorbell first, second;
  sleep.watch(first.ours.get(), 7);
  sleep.watch(second.ours.get(), 8);
  CHECK(heard(sleep, kShort).empty());
  second.ring();
  CHECK(heard(sleep, kLong) == std::vector<std::uint64_t>{8});
  CHECK(heard(sleep, kShort).empty());  // it is still there, and no news
  second.ring();
  CHECK(heard(sleep, kLong) == std::vector<std::uint64_t>{8});
  first.ring();
  second.ring();
  CHECK(heard(sleep, kLong).size() == 2);
}

TEST_CASE("a bell that is not watched any more, or whose owner has closed it, wakes nobody") {
  LaneSleep sleep;
  const Doorbell kept;
  sleep.watch(kept.ours.get(), 7);
  sleep.unwatch(kept.ours.get());
  kept.ring();
  CHECK(heard(sleep, kShort).empty());
  {
    const Doorbell gone;
    sleep.watch(gone.ours.get(), 9);
  }
  CHECK(heard(sleep, kShort).empty());
}

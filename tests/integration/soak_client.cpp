// SPDX-License-Identifier: Apache-2.0
// An application that nobody would want beside them, for the soak: dofa-soak-client BUS SEED. By its seed it
// streams without a pause, sends garbage, scribbles over its ring, stalls, floods, opens sessions and forgets
// them, or stops listening; until it is killed. Raw D-Bus and frame_ring.h, since libdofa-client is too
// polite.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "proto/frame_ring.h"
#include "tests/support/bus_client.hpp"

using namespace dofa;
using namespace dofa::test;

namespace {

using Random = std::mt19937;

std::uint32_t below(Random& random, std::uint32_t limit) {
  return std::uniform_int_distribution<std::uint32_t>(0, limit - 1)(random);
}

Dictionary stream_format(Random& random) {
  return {{"width", variant(16 + below(random, 600))},
          {"height", variant(16 + below(random, 400))},
          {"slots", variant(1 + below(random, 8))}};
}

struct Ring {
  sdbus::UnixFd memory;
  sdbus::UnixFd doorbell;
  std::size_t size = 0;
  dofa_ring* head = nullptr;

  Ring(BusSession& session, Random& random) {
    auto [its_memory, its_doorbell] = session.OpenStream(stream_format(random));
    memory = std::move(its_memory);
    doorbell = std::move(its_doorbell);
    struct stat status {};
    ::fstat(memory.get(), &status);
    size = static_cast<std::size_t>(status.st_size);
    void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
    if (data == MAP_FAILED) std::exit(1);
    head = static_cast<dofa_ring*>(data);
  }

  void submit(std::uint32_t index, std::uint64_t sequence) const {
    dofa_slot* slot = dofa_ring_slot(head, index);
    slot->frame = {sequence, 0, head->format, head->width, head->height, head->stride, {}};
    dofa_slot_publish(slot);
    (void)dofa_doorbell_ring(doorbell.get());
  }
};

/// As fast as answers come back.
void stream(BusSession& session, Random& random) {
  const Ring ring(session, random);
  for (std::uint64_t sequence = 0;; ++sequence) {
    const std::uint32_t index = sequence % ring.head->slots;
    dofa_slot* slot = dofa_ring_slot(ring.head, index);
    while (sequence >= ring.head->slots && dofa_slot_state(slot) != DOFA_SLOT_DONE) {
      pollfd bell{ring.doorbell.get(), POLLIN, 0};
      ::poll(&bell, 1, 1000);
      if (dofa_doorbell_drain(ring.doorbell.get()) != 0) std::exit(0);
    }
    ring.submit(index, sequence);
  }
}

/// Every word anywhere in the ring, at random, with bells.
void scribble(BusSession& session, Random& random) {
  const Ring ring(session, random);
  auto* words = reinterpret_cast<std::uint32_t*>(ring.head);
  const auto count = static_cast<std::uint32_t>(ring.size / sizeof(std::uint32_t));
  const std::uint32_t near_head = 4096 / sizeof(std::uint32_t) + 64;  // the head and the first slot's
  for (std::uint64_t step = 0;; ++step) {
    const std::uint32_t at = below(random, step % 2 == 0 ? std::min(near_head, count) : count);
    __atomic_store_n(words + at, step % 3 == 0 ? below(random, 8) : random(), __ATOMIC_RELAXED);
    if (step % 7 == 0) (void)dofa_doorbell_ring(ring.doorbell.get());
    if (step % 1000 == 0) ::usleep(1000);
  }
}

/// Submits what fits, never takes an answer, and rings on.
void stall(BusSession& session, Random& random) {
  const Ring ring(session, random);
  for (std::uint32_t index = 0; index < ring.head->slots; ++index) ring.submit(index, index);
  const int flags = ::fcntl(ring.doorbell.get(), F_GETFL);
  ::fcntl(ring.doorbell.get(), F_SETFL, flags & ~O_NONBLOCK);
  const bool flood = below(random, 2) == 0;
  for (;;) {
    if (flood) (void)dofa_doorbell_ring(ring.doorbell.get());
    if (!flood) ::usleep(10'000);
  }
}

sdbus::Variant nonsense(Random& random) {
  switch (below(random, 6)) {
    case 0:
      return variant(static_cast<std::uint64_t>(random()) << below(random, 33));
    case 1:
      return variant(-static_cast<double>(random()));
    case 2:
      return variant(std::string(below(random, 2000), 'x'));
    case 3:
      return variant(std::vector<std::string>(below(random, 20), "level"));
    case 4:
      return variant(below(random, 3) == 0);
    default:
      return variant(static_cast<std::uint32_t>(random() % 100));
  }
}

/// Dictionaries of good and bad keys with values of any kind, and frames that are none.
void garbage(BusManager& manager, BusSession& session, Random& random) {
  const std::vector<std::string> keys{"width",  "height",    "format",   "stride",     "slots",
                                      "top-k",  "level",     "priority", "unset",      "period-us",
                                      "colour", "when-late", "",         "deadline-us"};
  for (std::uint64_t step = 0;; ++step) {
    Dictionary dictionary;
    for (std::uint32_t i = below(random, 6); i > 0; --i)
      dictionary[keys[below(random, static_cast<std::uint32_t>(keys.size()))]] = nonsense(random);
    const int fd = ::memfd_create("soak", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    (void)!::ftruncate(fd, below(random, 100'000));
    ::fcntl(fd, F_ADD_SEALS, static_cast<int>(below(random, 32)));
    const sdbus::UnixFd frame{fd, sdbus::adopt_fd};
    (void)error_of([&] {
      switch (step % 4) {
        case 0:
          session.SetContract(dictionary);
          break;
        case 1:
          (void)session.Infer(frame, dictionary);
          break;
        case 2:
          (void)session.OpenStream(dictionary);
          break;
        default:
          (void)manager.OpenSession(std::string(below(random, 90), 'a'),
                                    below(random, 2) == 0 ? "colours" : "none", dictionary);
      }
    });
  }
}

/// Sessions that nobody uses, opened without waiting for the answer.
void half_open(sdbus::IConnection& connection) {
  const auto proxy =
      sdbus::createProxy(connection, proto::BusName{proto::kBusName}, sdbus::ObjectPath{proto::kRootPath});
  for (;;) {
    proxy->callMethod("OpenSession")
        .onInterface(org::dofa::Dofa1::Manager_proxy::INTERFACE_NAME)
        .withArguments(std::string("half open"), std::string("colours"), Dictionary{})
        .dontExpectReply();
    ::usleep(2000);
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) return 2;
  Random random(static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10)));
  const auto connection = connect_to(argv[1]);
  BusManager manager(*connection);
  const std::uint32_t role = below(random, 6);
  if (role == 5) half_open(*connection);  // and listens to nothing
  BusSession session(*connection, manager.OpenSession("soak " + std::to_string(role), "colours", {}));
  switch (role) {
    case 0:
    case 1:
      stream(session, random);
      break;
    case 2:
      scribble(session, random);
      break;
    case 3:
      stall(session, random);
      break;
    default:
      garbage(manager, session, random);
  }
  return 0;
} catch (const sdbus::Error& error) {
  std::fprintf(stderr, "dofa-soak-client: %s\n",
               error.what());  // a limit, or the service is away: both expected
  return 1;
}

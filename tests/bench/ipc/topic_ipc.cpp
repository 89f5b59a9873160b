// SPDX-License-Identifier: Apache-2.0
// What it costs to bring a frame to dofad and its answer back, beyond preprocessing and inference: from the
// application's publishing a slot (or calling Infer) until it is awake with the result. Frames are paced like
// a camera's, so that every one finds both processes asleep.
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <dofa/client.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "proto/frame_ring.h"
#include "tests/bench/ipc/service_process.hpp"
#include "tests/bench/topic.hpp"
#include "tests/support/bus_client.hpp"
#include "tests/support/private_bus.hpp"

namespace dofa::bench {
namespace {

constexpr std::uint32_t kSide = 224;
constexpr int kWarmUp = 100;

double now_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

void pause_us(long us) {
  const timespec pause{us / 1'000'000, us % 1'000'000 * 1000};
  nanosleep(&pause, nullptr);
}

struct Plan {
  int rounds = 1500;
  long period_us = 4000;
};

/// Where a streamed frame's overhead goes, µs.
struct Hops {
  std::vector<double> to_service;  ///< from publishing to the service's noticing
  std::vector<double> to_lane;     ///< from there to the lane's start
  std::vector<double> to_client;   ///< from the answer to the application's being awake

  void add(double published, const dofa_result& result, double awake) {
    const auto arrival = static_cast<double>(result.arrival_us);
    to_service.push_back(arrival - published);
    to_lane.push_back(static_cast<double>(result.queue_us));
    to_client.push_back(awake - arrival - static_cast<double>(result.queue_us + result.service_us));
  }
  void sort() {
    for (auto* hop : {&to_service, &to_lane, &to_client}) std::sort(hop->begin(), hop->end());
  }
};

/// Calls `frame`, which returns its overhead in µs, again and again; the overheads after warming up, sorted.
template <class F>
std::vector<double> measure(const Plan& plan, F&& frame) {
  std::vector<double> overheads;
  for (int round = -kWarmUp; round < plan.rounds; ++round) {
    const double overhead = frame(static_cast<std::uint64_t>(round + kWarmUp));
    if (round >= 0) overheads.push_back(overhead);
    pause_us(plan.period_us);
  }
  std::sort(overheads.begin(), overheads.end());
  return overheads;
}

double quantile(const std::vector<double>& sorted, double share) {
  return sorted[std::min(sorted.size() - 1,
                         static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

void wait_for(int doorbell, const dofa_slot& slot) {
  while (dofa_slot_state(&slot) != DOFA_SLOT_DONE) {
    pollfd bell{doorbell, POLLIN, 0};
    if (poll(&bell, 1, 10'000) <= 0 || dofa_doorbell_drain(doorbell) != 0) {
      throw std::runtime_error("the service does not answer");
    }
  }
}

std::vector<double> measure_stream(const std::string& bus, const Plan& plan, Hops& hops) {
  const auto connection = test::connect_to(bus);
  test::BusManager manager(*connection);
  test::BusSession session(*connection, manager.OpenSession("bench", "fake", {}));
  const auto [memory_fd, doorbell_fd] = session.OpenStream({{"width", sdbus::Variant{kSide}},
                                                            {"height", sdbus::Variant{kSide}},
                                                            {"slots", sdbus::Variant{std::uint32_t{2}}}});
  struct stat status {};
  fstat(memory_fd.get(), &status);
  const auto size = static_cast<std::size_t>(status.st_size);
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd.get(), 0);
  if (memory == MAP_FAILED) throw std::runtime_error("the ring cannot be mapped");
  auto& ring = *static_cast<dofa_ring*>(memory);
  const int doorbell = doorbell_fd.get();
  auto overheads = measure(plan, [&](std::uint64_t sequence) {
    dofa_slot& slot = *dofa_ring_slot(&ring, sequence % ring.slots);
    std::fill_n(static_cast<char*>(dofa_slot_pixels(&ring, &slot)), ring.pixels_bytes,
                static_cast<char>(sequence));
    slot.frame = {sequence, 0, ring.format, ring.width, ring.height, ring.stride, {}};
    const double published = now_us();
    dofa_slot_publish(&slot);
    (void)dofa_doorbell_ring(doorbell);
    wait_for(doorbell, slot);
    const double awake = now_us();
    const dofa_result& result = *dofa_slot_result(&ring, &slot);
    if (result.status != DOFA_STATUS_OK || result.sequence != sequence)
      throw std::runtime_error("a wrong answer");
    const double overhead =
        awake - published - static_cast<double>(result.preprocess_us + result.inference_us);
    if (sequence >= kWarmUp) hops.add(published, result, awake);
    dofa_slot_release(&slot);
    return overhead;
  });
  munmap(memory, size);
  hops.sort();
  return overheads;
}

std::vector<double> measure_infer(const std::string& bus, const Plan& plan) {
  auto client = client::Client::connect({.bus = bus});
  auto session = client.open_session("bench", "fake");
  std::vector<std::byte> pixels(3ULL * kSide * kSide);
  return measure(plan, [&](std::uint64_t) {
    const double called = now_us();
    const auto answer = session.infer({.pixels = pixels, .width = kSide, .height = kSide});
    return now_us() - called - static_cast<double>(answer.preprocess_us + answer.inference_us);
  });
}

void add(json::Writer& json, const std::string& name, const std::vector<double>& overheads) {
  json.member(name + "_us_p50", quantile(overheads, 0.50))
      .member(name + "_us_p90", quantile(overheads, 0.90))
      .member(name + "_us_p99", quantile(overheads, 0.99))
      .member(name + "_us_max", overheads.back())
      .member(name + "_frames", overheads.size());
}

int usage() {
  std::fprintf(stderr, "dofa-bench ipc [--rounds N] [--period-us N] [--json]\n");
  return 2;
}

}  // namespace

int run_ipc(const Arguments& arguments) {
  Plan plan;
  bool as_json = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const bool has_value = i + 1 < arguments.size();
    if (arguments[i] == "--json") {
      as_json = true;
    } else if (arguments[i] == "--serve" && has_value) {
      return serve_until_input_ends(arguments[++i]);
    } else if (arguments[i] == "--rounds" && has_value) {
      plan.rounds = std::max(1, std::atoi(arguments[++i].c_str()));
    } else if (arguments[i] == "--period-us" && has_value) {
      plan.period_us = std::max(0L, std::atol(arguments[++i].c_str()));
    } else {
      return usage();
    }
  }
  try {
    const test::PrivateBus bus;
    const ServiceProcess service(bus.address());
    Hops hops;
    const auto stream = measure_stream(bus.address(), plan, hops);
    const auto infer = measure_infer(bus.address(), plan);
    if (as_json) {
      json::Writer json;
      begin_report(json, "ipc", 1);
      json.member("period_us", plan.period_us);
      add(json, "stream", stream);
      json.member("stream_to_service_us_p50", quantile(hops.to_service, 0.50))
          .member("stream_to_lane_us_p50", quantile(hops.to_lane, 0.50))
          .member("stream_to_client_us_p50", quantile(hops.to_client, 0.50));
      add(json, "infer", infer);
      json.end_object();
      std::puts(json.text().c_str());
    } else {
      std::printf("beyond preprocess and inference, us:\n");
      std::printf("  stream  p50 %7.1f  p99 %7.1f\n", quantile(stream, 0.50), quantile(stream, 0.99));
      std::printf("    to the service %.1f, to the lane %.1f, to the client %.1f (p50)\n",
                  quantile(hops.to_service, 0.50), quantile(hops.to_lane, 0.50),
                  quantile(hops.to_client, 0.50));
      std::printf("  Infer   p50 %7.1f  p99 %7.1f\n", quantile(infer, 0.50), quantile(infer, 0.99));
    }
    return 0;
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "dofa-bench ipc: %s\n", fault.what());
    return 1;
  }
}

}  // namespace dofa::bench

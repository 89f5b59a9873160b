// SPDX-License-Identifier: Apache-2.0
// C++: a made-up camera of 30 pictures a second, drawn straight into the stream's memory; a line a second.
//   c++ -std=c++20 stream_camera.cpp $(pkg-config --cflags --libs dofa-client)
//   ./a.out [BUS [FAMILY]]
#include <algorithm>
#include <cstdio>
#include <dofa/client.hpp>
#include <stdexcept>
#include <thread>

using namespace std::chrono_literals;

namespace {

constexpr int kSeconds = 10;
constexpr int kRate = 30;

/// Where a camera's driver would put its picture.
void draw(std::span<std::byte> pixels, int picture) {
  std::ranges::fill(pixels, static_cast<std::byte>(picture));
}

}  // namespace

int main(int argc, char** argv) try {
  auto client = dofa::client::Client::connect({.bus = argc > 1 ? argv[1] : "system"});
  const auto families = client.families();
  if (families.empty()) throw std::runtime_error("no family is loaded");
  const std::string family = argc > 2 ? argv[2] : families[0].name;
  auto session = client.open_session("example camera", family,
                                     {.latency_budget_us = 50'000, .period_us = 1'000'000 / kRate},
                                     {.lost = [] { std::puts("the service went away"); },
                                      .reopened = [] { std::puts("the service is back"); }});
  auto stream = session.open_stream({.width = 640, .height = 480, .top_k = 1});

  auto next = std::chrono::steady_clock::now();
  for (int picture = 0; picture < kSeconds * kRate; ++picture) {
    if (auto slot = stream.try_acquire()) {
      draw(slot->pixels(), picture);
      stream.submit(std::move(*slot));
    } else {
      stream.count_given_up();  // the service is behind: a newer picture is worth more than this one
    }
    next += 1'000'000us / kRate;
    while (std::chrono::steady_clock::now() < next) {
      const auto left =
          std::chrono::duration_cast<std::chrono::microseconds>(next - std::chrono::steady_clock::now());
      const auto result = stream.wait(left);
      if (!result || result->sequence % kRate != 0) continue;
      if (result->error) {
        std::printf("frame %ju: %s\n", std::uintmax_t{result->sequence}, result->error->what());
      } else {
        std::printf("frame %ju: class %u with %.1f %%, level %u on %s, %.2f ms\n",
                    std::uintmax_t{result->sequence}, result->top.at(0).class_index,
                    100 * result->top[0].probability, result->level, result->processor.c_str(),
                    static_cast<double>(result->queue_us + result->service_us) / 1000);
      }
    }
  }
  std::printf("%.1f %% of the frames were in time\n", 100 * session.info().attainment);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}

// SPDX-License-Identifier: Apache-2.0
#include "tests/support/load_client.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace dofa::test {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::uint32_t kSide = 32;
constexpr auto kPatience = 20s;  // for the last answers, on a machine that is busy with other things

void draw(std::span<std::byte> pixels, std::uint32_t channel) {
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = i % 3 == channel ? std::byte{255} : std::byte{0};
}

}  // namespace

std::int64_t steady_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
}

LoadClient::LoadClient(const std::string& bus, std::string name, double rate_hz,
                       const client::Contract& contract)
    : client_(client::Client::connect({.bus = bus})),
      session_(client_.open_session(name, "colours", contract)),
      stream_(session_.open_stream({.width = kSide, .height = kSide, .slots = 8})),
      period_(static_cast<std::int64_t>(1e9 / rate_hz)),
      thread_([this] {
        try {
          run();
        } catch (const client::Error& error) {
          trouble = error.what();
        }
      }) {}

void LoadClient::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void LoadClient::run() {
  std::map<std::uint64_t, std::uint32_t> waiting;  // what was drawn, by sequence
  const auto take = [&](const client::StreamResult& result) {
    const auto sent = waiting.find(result.sequence);
    if (sent == waiting.end()) {
      ++crossed;
      return;
    }
    const std::uint32_t drawn = sent->second;
    waiting.erase(sent);
    if (result.error) {
      ++(result.error->code() == client::ErrorCode::kCancelled ? cancelled : failed);
    } else if (result.top.empty() || result.top[0].class_index != drawn) {
      ++crossed;
    } else {
      ++answered;
      last_answer_us = steady_us();
    }
  };
  auto next = Clock::now();
  while (!stopping_) {
    if (auto slot = stream_.try_acquire()) {
      const auto channel = static_cast<std::uint32_t>(submitted % 3);
      draw(slot->pixels().first(kSide * kSide * 3), channel);
      waiting.emplace(stream_.submit(std::move(*slot)), channel);
      ++submitted;
    }
    next = std::max(next + period_, Clock::now() - 100ms);  // no burst after a long pause
    for (auto now = Clock::now(); now < next; now = Clock::now()) {
      if (const auto result = stream_.wait(std::chrono::duration_cast<std::chrono::microseconds>(next - now)))
        take(*result);
    }
    while (const auto result = stream_.try_take()) take(*result);
  }
  const auto deadline = Clock::now() + kPatience;
  while (!waiting.empty() && Clock::now() < deadline) {
    if (const auto result = stream_.wait(100ms)) take(*result);
  }
  lost = waiting.size();
}

}  // namespace dofa::test

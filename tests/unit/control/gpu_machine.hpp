// SPDX-License-Identifier: Apache-2.0
// A runtime on a machine with a made-up GPU beside the CPU. The control loop's time is made up as well: it is
// ahead of the clock, so that nobody has to wait for it. Of the test's thread; owns everything but the
// pictures.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/control/runtime.hpp"
#include "tests/support/fake_family.hpp"

namespace dofa::test {

using namespace control;

inline constexpr std::uint32_t kGpu = 1;

/// One grey picture.
class Picture final : public Frame {
 public:
  explicit Picture(std::uint8_t shade = 0);
  void done(const Error* error, const FrameAnswer& result) noexcept override;

  std::atomic<int> answers = 0;
  std::optional<ErrorCode> error_code;
  std::string message;
  std::string processor;
  std::uint32_t level = 0;
  float grey = -1;

 private:
  std::array<std::byte, 3UL * 16 * 16 * sizeof(float)> pixels_{};
};

/// Looks again for ten seconds.
bool eventually(const std::function<bool()>& holds);

struct MoveListener final : RuntimeListener {
  void family_loaded(const std::shared_ptr<const LoadedFamily>&) override {}
  void family_unloaded(const std::string&) override {}
  void family_profiled(const std::string&) override { ++profiled; }
  void session_closed(const Session&, const std::string&) override {}
  void subnet_changed(const Session& session, std::uint32_t, const std::string& reason) override {
    moves.push_back(session.processor_name() + ": " + reason);
  }
  void contract_unmet(const Session&, const std::string& reason,
                      const std::optional<policy::Contract>&) override {
    unmet.push_back(reason);
  }
  std::atomic<int> profiled = 0;
  std::vector<std::string> moves;
  std::vector<std::string> unmet;
};

/// The CPU takes 20 and 40 ms a frame, the GPU 1 and 2 unless told otherwise.
struct Machine {
  explicit Machine(int gpu_us = 1'000);
  ~Machine() { gpu->gate.open(); }

  Result<std::shared_ptr<Session>> ask(const policy::Contract& contract);
  std::shared_ptr<Session> open(const policy::Contract& contract);
  void submit(const std::shared_ptr<Session>& session, Picture& picture);
  /// The processor that answered, or the error.
  std::string serve(const std::shared_ptr<Session>& session);
  void tick(std::int64_t by_us = 100'000) { runtime.tick(now = std::max(now, now_us()) + by_us); }
  [[nodiscard]] ProcessorStatus status() const { return runtime.processors().at(kGpu); }

  std::shared_ptr<FakeGpu> gpu = std::make_shared<FakeGpu>();
  std::shared_ptr<FakeFamily> family = std::make_shared<FakeFamily>();
  MoveListener listener;
  std::atomic<int> hurries = 0;
  Runtime runtime;
  std::int64_t now = now_us();
};

policy::Contract budget(std::int64_t budget_us);
policy::Contract fixed(const std::string& processor);

}  // namespace dofa::test

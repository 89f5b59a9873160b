// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/control/gpu_machine.hpp"

#include <chrono>
#include <thread>

#include "tests/support/catch.hpp"

namespace dofa::test {
namespace {

config::ServiceOptions one_lane() {
  config::ServiceOptions options;
  options.lanes.cpu = 1;
  options.families.profiles = "";
  return options;
}

Environment with_gpu(std::function<void()> hurry) {
  Environment environment;
  environment.root = "/nonexistent";
  environment.gpus = {{"cuda:0", "Fake GPU", "1.0", "", 1}};
  environment.hurry = std::move(hurry);
  return environment;
}

}  // namespace

Picture::Picture(std::uint8_t shade) {
  pixels_.fill(static_cast<std::byte>(shade));
  image = {pixels_.data(), {engine::PixelFormat::kRgb8, 16, 16, 0}};
}

void Picture::done(const Error* error, const FrameAnswer& result) noexcept {
  error_code = error != nullptr ? std::optional(error->code) : std::nullopt;
  if (error != nullptr) message = error->message;
  processor = result.processor;
  level = result.level;
  grey = result.logits.empty() ? -1.0F : result.logits[0];
  ++answers;
}

bool eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 10'000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

Machine::Machine(int gpu_us) : runtime(one_lane(), with_gpu([this] { ++hurries; })) {
  runtime.set_listener(&listener);
  family->gpu = gpu;
  family->cpu_us = 20'000;
  gpu->run_us = gpu_us;
  if (auto adopted = runtime.adopt_family(family); !adopted) FAIL(adopted.error().message);
}

Result<std::shared_ptr<Session>> Machine::ask(const policy::Contract& contract) {
  return runtime.open_session({":1.7", 1000, "test", "fake", contract});
}

std::shared_ptr<Session> Machine::open(const policy::Contract& contract) {
  auto session = ask(contract);
  if (!session) FAIL(session.error().message);
  return *session;
}

void Machine::submit(const std::shared_ptr<Session>& session, Picture& picture) {
  const auto submitted = runtime.submit(session, picture);
  if (!submitted) picture.done(&submitted.error(), picture.answer);
}

std::string Machine::serve(const std::shared_ptr<Session>& session) {
  Picture picture(100);
  submit(session, picture);
  REQUIRE(eventually([&] { return picture.answers > 0; }));
  return picture.error_code ? picture.message : picture.processor;
}

policy::Contract budget(std::int64_t budget_us) {
  policy::Contract contract;
  contract.latency_budget_us = budget_us;
  return contract;
}

policy::Contract fixed(const std::string& processor) {
  policy::Contract contract;
  contract.processor = processor;
  return contract;
}

}  // namespace dofa::test

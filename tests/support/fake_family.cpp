// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_family.hpp"

#include <chrono>
#include <numeric>
#include <stdexcept>
#include <thread>

namespace dofa::test {
namespace {

class FakeRunner : public engine::Runner {
 public:
  explicit FakeRunner(std::shared_ptr<const FakeFamily> family, std::size_t places = 1)
      : family_(std::move(family)),
        preprocessor_(family_->description().preprocessing),
        inputs_(places, std::vector<float>(3ULL * FakeFamily::kSide * FakeFamily::kSide)),
        logits_(places * family_->description().classes) {}

  Result<void> prepare(std::uint32_t, const engine::ImageView& image) override {
    family_->gate().pass();
    if (family_->out_of_memory == 2) fail();
    return load(0, image);
  }
  Result<std::span<const float>> run(std::uint32_t level) override {
    wait(family_->cpu_us * (1 + static_cast<int>(level)));
    if (family_->out_of_memory > 0) fail();
    return compute(level, 1);
  }

 protected:
  void fail() const {
    --family_->out_of_memory;
    throw std::bad_alloc();
  }
  static void wait(int us) {
    if (us > 0) std::this_thread::sleep_for(std::chrono::microseconds(us));
  }
  Result<void> load(std::uint32_t place, const engine::ImageView& image) {
    return preprocessor_.run(image, FakeFamily::kSide, inputs_[place]);
  }
  std::span<const float> compute(std::uint32_t level, std::uint32_t count) {
    const std::size_t classes = family_->description().classes;
    for (std::uint32_t place = 0; place < count; ++place) {
      const std::vector<float>& input = inputs_[place];
      const auto logits = logits_.begin() + static_cast<std::ptrdiff_t>(place * classes);
      const std::size_t plane = input.size() / 3;
      for (std::size_t channel = 0; channel < 3; ++channel) {
        const auto first = input.begin() + static_cast<std::ptrdiff_t>(channel * plane);
        const double sum = std::accumulate(first, first + static_cast<std::ptrdiff_t>(plane), 0.0);
        logits[static_cast<std::ptrdiff_t>(channel)] =
            static_cast<float>(sum * 255.0 / static_cast<double>(plane));
      }
      logits[3] = level == 1 ? 1000.0F : 0.0F;
    }
    return std::span<const float>(logits_).first(count * classes);
  }

 private:
  std::shared_ptr<const FakeFamily> family_;
  engine::Preprocessor preprocessor_;
  std::vector<std::vector<float>> inputs_;
  std::vector<float> logits_;
};

class FakeGpuRunner final : public FakeRunner {
 public:
  FakeGpuRunner(std::shared_ptr<const FakeFamily> family, std::shared_ptr<FakeGpu> gpu)
      : FakeRunner(std::move(family), gpu->max_batch), gpu_(std::move(gpu)) {
    ++gpu_->runners;
  }
  ~FakeGpuRunner() override { --gpu_->runners; }

  Result<void> prepare(std::uint32_t level, const engine::ImageView& image) override {
    return prepare_in(0, level, image);
  }
  Result<std::span<const float>> run(std::uint32_t level) override { return run_batch(level, 1); }
  [[nodiscard]] std::uint32_t max_batch() const override { return gpu_->max_batch; }
  Result<void> prepare_in(std::uint32_t slot, std::uint32_t, const engine::ImageView& image) override {
    gpu_->gate.pass();
    if (gpu_->lost) return Error{ErrorCode::kNotReady, "the fake GPU fell off the bus"};
    return load(slot, image);
  }
  Result<std::span<const float>> run_batch(std::uint32_t level, std::uint32_t count) override {
    const int alone_us = gpu_->run_us * (1 + static_cast<int>(level));
    wait(alone_us + alone_us * static_cast<int>(count - 1) / 10);
    if (gpu_->lost) return Error{ErrorCode::kNotReady, "the fake GPU fell off the bus"};
    if (count > gpu_->largest_batch) gpu_->largest_batch = count;
    return compute(level, count);
  }

 private:
  std::shared_ptr<FakeGpu> gpu_;
};

}  // namespace

void Gate::close() {
  const std::lock_guard lock(mutex_);
  open_ = false;
}

void Gate::open() {
  const std::lock_guard lock(mutex_);
  open_ = true;
  changed_.notify_all();
}

void Gate::pass() {
  std::unique_lock lock(mutex_);
  ++standing_;
  changed_.notify_all();
  changed_.wait(lock, [this] { return open_; });
  --standing_;
}

void Gate::wait_for_worker() {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, std::chrono::seconds(10), [this] { return standing_ > 0; }))
    throw std::runtime_error("no worker comes to the gate");
}

FakeFamily::FakeFamily(std::uint32_t classes, const std::string& name) {
  description_.name = name;
  description_.classes = classes;
  description_.preprocessing = {1.0F, {0, 0, 0}, {1, 1, 1}};
  levels_ = {{"small", kSide, std::nullopt, 1, "fake"}, {"large", kSide, std::nullopt, 2, "fake"}};
}

Result<std::unique_ptr<engine::Runner>> FakeFamily::make_runner(
    std::shared_ptr<const engine::Family> self) const {
  return std::unique_ptr<engine::Runner>(
      std::make_unique<FakeRunner>(std::static_pointer_cast<const FakeFamily>(std::move(self))));
}

Result<std::unique_ptr<engine::Runner>> FakeFamily::make_runner_on(std::shared_ptr<const engine::Family> self,
                                                                   const std::string& processor) const {
  if (processor != "cuda:0" || gpu == nullptr) return Family::make_runner_on(std::move(self), processor);
  if (gpu->lost) return Error{ErrorCode::kNotReady, "the fake GPU fell off the bus"};
  if (gpu->full) return Error{ErrorCode::kResourceExhausted, "the fake GPU is out of memory"};
  return std::unique_ptr<engine::Runner>(
      std::make_unique<FakeGpuRunner>(std::static_pointer_cast<const FakeFamily>(std::move(self)), gpu));
}

}  // namespace dofa::test

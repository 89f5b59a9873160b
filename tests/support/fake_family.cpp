// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_family.hpp"

#include <numeric>

namespace dofa::test {
namespace {

class FakeRunner final : public engine::Runner {
 public:
  FakeRunner(std::shared_ptr<const FakeFamily> family)  // NOLINT(google-explicit-constructor)
      : family_(std::move(family)),
        preprocessor_(family_->description().preprocessing),
        input_(3ULL * FakeFamily::kSide * FakeFamily::kSide),
        logits_(family_->description().classes) {}

  Result<void> prepare(std::uint32_t, const engine::ImageView& image) override {
    family_->gate().pass();
    return preprocessor_.run(image, FakeFamily::kSide, input_);
  }

  Result<std::span<const float>> run(std::uint32_t level) override {
    const std::size_t plane = input_.size() / 3;
    for (std::size_t channel = 0; channel < 3; ++channel) {
      const auto first = input_.begin() + static_cast<std::ptrdiff_t>(channel * plane);
      const double sum = std::accumulate(first, first + static_cast<std::ptrdiff_t>(plane), 0.0);
      logits_[channel] = static_cast<float>(sum * 255.0 / static_cast<double>(plane));
    }
    logits_[3] = level == 1 ? 1000.0F : 0.0F;
    return std::span<const float>(logits_);
  }

 private:
  std::shared_ptr<const FakeFamily> family_;
  engine::Preprocessor preprocessor_;
  std::vector<float> input_;
  std::vector<float> logits_;
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
  changed_.wait(lock, [this] { return standing_ > 0; });
}

FakeFamily::FakeFamily(std::uint32_t classes) {
  description_.name = "fake";
  description_.classes = classes;
  description_.preprocessing = {1.0F, {0, 0, 0}, {1, 1, 1}};
  levels_ = {{"small", kSide, std::nullopt, 1, "fake"}, {"large", kSide, std::nullopt, 2, "fake"}};
}

Result<std::unique_ptr<engine::Runner>> FakeFamily::make_runner(
    std::shared_ptr<const engine::Family> self) const {
  return std::unique_ptr<engine::Runner>(
      std::make_unique<FakeRunner>(std::static_pointer_cast<const FakeFamily>(std::move(self))));
}

}  // namespace dofa::test

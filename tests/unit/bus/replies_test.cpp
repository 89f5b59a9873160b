// SPDX-License-Identifier: Apache-2.0
#include "daemon/bus/replies.hpp"

#include <atomic>
#include <latch>
#include <vector>

#include "tests/support/catch.hpp"

using namespace dofa::bus;

namespace {

struct Sent {
  std::vector<int> numbers;
  std::vector<std::thread::id> threads;
  std::atomic<int> alive = 0;
};

class Numbered final : public Replies::Reply {
 public:
  Numbered(Sent& sent, int number, std::latch* wait = nullptr) : sent_(sent), number_(number), wait_(wait) {
    ++sent_.alive;
  }
  ~Numbered() override { --sent_.alive; }
  void send() noexcept override {
    if (wait_ != nullptr) wait_->wait();
    sent_.numbers.push_back(number_);
    sent_.threads.push_back(std::this_thread::get_id());
  }

 private:
  Sent& sent_;
  int number_;
  std::latch* wait_;
};

}  // namespace

TEST_CASE("replies are sent in order by another thread, and nobody who posts waits for them") {
  Sent sent;
  std::latch bus_is_free(1);
  Replies replies;
  replies.post(std::make_unique<Numbered>(sent, 0, &bus_is_free));
  for (int i = 1; i < 100; ++i) replies.post(std::make_unique<Numbered>(sent, i));
  CHECK(sent.alive == 100);  // the first is not through yet
  bus_is_free.count_down();
  replies.stop();
  REQUIRE(sent.numbers.size() == 100);
  for (int i = 0; i < 100; ++i) CHECK(sent.numbers[static_cast<std::size_t>(i)] == i);
  for (const auto& thread : sent.threads) CHECK(thread != std::this_thread::get_id());
  CHECK(sent.alive == 0);
}

TEST_CASE("a reply that comes after the end is sent at once") {
  Sent sent;
  Replies replies;
  replies.stop();
  replies.post(std::make_unique<Numbered>(sent, 7));
  CHECK(sent.numbers == std::vector<int>{7});
  CHECK(sent.threads.front() == std::this_thread::get_id());
  CHECK(sent.alive == 0);
}

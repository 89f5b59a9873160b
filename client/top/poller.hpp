// SPDX-License-Identifier: Apache-2.0
// Asks the service on a thread of its own, so that the screen answers keys while dofad does not: a look every
// interval, contracts to change in between, events as they come. Comes back by itself after the service or
// the bus was away. Thread-safe; `ready` is called on other threads whenever take() would find something, and
// must be short.
#pragma once

#include <dofa/client.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "client/top/model.hpp"
#include "client/top/ui.hpp"

namespace dofa::top {

/// What happened since the last take().
struct News {
  std::optional<Snapshot> snapshot = {};
  std::string trouble = {};  ///< the service is not reachable
  struct SessionNote {
    std::string session;
    Note note;
  };
  std::vector<SessionNote> notes = {};
  struct Answer {
    std::string words;
    bool is_error = false;
  };
  std::optional<Answer> answer = {};  ///< to the last change of a contract
};

class Poller {
 public:
  Poller(client::ConnectOptions options, std::chrono::milliseconds interval, std::function<void()> ready);
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  void change(Wish wish);
  News take();
  /// How long the service has not answered; 0 while nothing is asked.
  [[nodiscard]] std::chrono::seconds waiting() const;
  /// Ends the looks; false where one is still waited for after `patience`: the destructor would wait for it.
  [[nodiscard]] bool stop(std::chrono::milliseconds patience);

 private:
  struct Connected;
  void run();
  void look(Connected& connected);
  void fulfil(Connected& connected, const Wish& wish);
  void hear(const client::Event& event);
  template <class Fill>
  void tell(Fill fill);

  const client::ConnectOptions options_;
  const std::chrono::milliseconds interval_;
  const std::function<void()> ready_;
  std::atomic<bool> families_changed_ = true;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool over_ = false;                                                ///< the thread is
  std::optional<std::chrono::steady_clock::time_point> asked_ = {};  ///< when, while an answer is waited for
  std::vector<Wish> wishes_;
  News news_;
  std::thread thread_;
};

}  // namespace dofa::top

// SPDX-License-Identifier: Apache-2.0
#include "client/lib/dispatcher.hpp"

#include <utility>

namespace dofa::client {

Dispatcher::Dispatcher() : thread_([queue = queue_] { run(queue); }) {}

Dispatcher::~Dispatcher() {
  decltype(queue_->tasks_) dropped;  // destroyed outside the lock: what a task holds may post
  {
    const std::lock_guard lock(queue_->mutex_);
    queue_->stopped_ = true;
    dropped.swap(queue_->tasks_);
  }
  queue_->changed_.notify_one();
  if (thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach();  // a handler let go of the last reference to its connection
  } else {
    thread_.join();
  }
}

void Dispatcher::Queue::post(std::function<void()> task, std::chrono::milliseconds delay) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    tasks_.emplace(Clock::now() + delay, std::move(task));  // behind those that are due at the same time
  }
  changed_.notify_one();
}

void Dispatcher::run(const std::shared_ptr<Queue>& queue) {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(queue->mutex_);
      auto& tasks = queue->tasks_;
      while (!queue->stopped_ && (tasks.empty() || tasks.begin()->first > Queue::Clock::now())) {
        if (tasks.empty()) {
          queue->changed_.wait(lock);
        } else {
          queue->changed_.wait_until(lock, tasks.begin()->first);
        }
      }
      if (queue->stopped_) return;
      task = std::move(tasks.begin()->second);
      tasks.erase(tasks.begin());
    }
    task();
  }
}

}  // namespace dofa::client

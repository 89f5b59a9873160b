// SPDX-License-Identifier: Apache-2.0
#include "client/lib/dispatcher.hpp"

#include <utility>

namespace dofa::client {

Dispatcher::Dispatcher() : thread_([queue = queue_] { run(queue); }) {}

Dispatcher::~Dispatcher() {
  std::deque<std::function<void()>> dropped;  // destroyed outside the lock: what a task holds may post
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

void Dispatcher::Queue::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    tasks_.push_back(std::move(task));
  }
  changed_.notify_one();
}

void Dispatcher::run(const std::shared_ptr<Queue>& queue) {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(queue->mutex_);
      queue->changed_.wait(lock, [&] { return queue->stopped_ || !queue->tasks_.empty(); });
      if (queue->stopped_) return;
      task = std::move(queue->tasks_.front());
      queue->tasks_.pop_front();
    }
    task();
  }
}

}  // namespace dofa::client

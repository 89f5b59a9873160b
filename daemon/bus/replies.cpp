// SPDX-License-Identifier: Apache-2.0
#include "daemon/bus/replies.hpp"

#include <pthread.h>

#include <utility>

namespace dofa::bus {

Replies::Replies() : thread_([this] { work(); }) {}

Replies::~Replies() {
  stop();
}

void Replies::post(std::unique_ptr<Reply> reply) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      Reply* const added = reply.get();
      (first_ == nullptr ? first_ : last_->next_) = std::move(reply);
      last_ = added;
    }
  }
  if (reply == nullptr) return posted_.notify_one();
  reply->send();
}

void Replies::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  posted_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Replies::work() {
  pthread_setname_np(pthread_self(), "replies");
  std::unique_lock lock(mutex_);
  while (true) {
    posted_.wait(lock, [this] { return stopping_ || first_ != nullptr; });
    if (first_ == nullptr) return;
    auto reply = std::exchange(first_, std::move(first_->next_));
    lock.unlock();
    reply->send();
    reply.reset();  // with what it holds, not under the lock
    lock.lock();
  }
}

}  // namespace dofa::bus

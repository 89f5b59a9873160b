// SPDX-License-Identifier: Apache-2.0
// Sends replies from a thread of its own. sd-bus's lock is held while the bus thread runs a handler, which
// may take milliseconds: a lane that replied itself would wait for that, and everybody's frames with it.
// Posting allocates nothing. Thread-safe; shared by whoever may still post.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace dofa::bus {

class Replies {
 public:
  class Reply {
   public:
    Reply() = default;
    Reply(const Reply&) = delete;
    Reply& operator=(const Reply&) = delete;
    virtual ~Reply() = default;
    virtual void send() noexcept = 0;

   private:
    friend class Replies;
    std::unique_ptr<Reply> next_;
  };

  Replies();
  ~Replies();

  /// In the order of the calls; on the caller's thread once stopped.
  void post(std::unique_ptr<Reply> reply);
  /// Sends what was posted and ends the thread. Before the connection goes.
  void stop();

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable posted_;
  std::unique_ptr<Reply> first_;
  Reply* last_ = nullptr;  ///< of the chain behind first_
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace dofa::bus

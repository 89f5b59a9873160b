// SPDX-License-Identifier: Apache-2.0
// What the frames of Infer that wait keep in memory, by user: a memfd lives as long as its mapping, all of
// it, however little of it the frame needs. Thread-safe; shared by every session object, and outlived by no
// lease.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace dofa::bus {

class PinnedMemory : public std::enable_shared_from_this<PinnedMemory> {
 public:
  /// Gives its bytes back when it goes. Movable.
  class Lease {
   public:
    Lease(std::shared_ptr<PinnedMemory> of, std::uint32_t uid, std::uint64_t bytes)
        : of_(std::move(of)), uid_(uid), bytes_(bytes) {}
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (of_) of_->give_back(uid_, bytes_);
    }

   private:
    std::shared_ptr<PinnedMemory> of_;
    std::uint32_t uid_;
    std::uint64_t bytes_;
  };

  /// Nothing where the user's leases would come to more than `limit` bytes.
  std::optional<Lease> take(std::uint32_t uid, std::uint64_t bytes, std::uint64_t limit) {
    {
      const std::lock_guard lock(mutex_);
      std::uint64_t& held = held_[uid];
      if (bytes > limit || held > limit - bytes) {
        if (held == 0) held_.erase(uid);
        return std::nullopt;
      }
      held += bytes;
    }
    return Lease(shared_from_this(), uid, bytes);
  }

 private:
  void give_back(std::uint32_t uid, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto at = held_.find(uid);
    at->second -= bytes;
    if (at->second == 0) held_.erase(at);
  }

  std::mutex mutex_;
  std::map<std::uint32_t, std::uint64_t> held_;
};

}  // namespace dofa::bus

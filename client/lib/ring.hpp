// SPDX-License-Identifier: Apache-2.0
// The application's half of a frame ring (proto/frame_ring.h): the mapping, and which slots are ours. The
// service is not believed blindly: the head is copied and checked once, counts are cut to it, and a slot that
// we did not submit is never done. Thread-safe; slots that someone draws into or reads raw outputs from keep
// the mapping.
#pragma once

#include <dofa/stream.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "proto/compat.hpp"
#include "proto/frame_ring.h"

namespace dofa::client {

class Ring : public std::enable_shared_from_this<Ring> {
 public:
  /// Maps all of `memory`. Throws Error (kFailed) where it is not a sound ring of sealed size.
  explicit Ring(const sdbus::UnixFd& memory);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// A free slot, round robin; it is the caller's until published or given back.
  [[nodiscard]] std::optional<std::uint32_t> claim();
  void give_back(std::uint32_t index);
  [[nodiscard]] std::span<std::byte> pixels(std::uint32_t index) const;
  void publish(std::uint32_t index, const dofa_frame& frame);
  void count_refused() { dofa_ring_count_refused(shared_); }

  /// Takes the result with the lowest sequence out and frees its slot.
  [[nodiscard]] std::optional<StreamResult> take();
  [[nodiscard]] bool has_result() const;
  /// Sequences of the frames that are submitted and not taken out, ascending.
  [[nodiscard]] std::vector<std::uint64_t> in_flight() const;

  /// The ring's own format, for frames that do not say otherwise.
  [[nodiscard]] const dofa_ring& head() const { return head_; }

 private:
  enum class Owner { kNobody, kApplication, kService };
  struct Slot {
    Owner owner = Owner::kNobody;
    std::uint64_t sequence = 0;  ///< while it is the service's
  };
  static void check(const dofa_ring& head, std::uint64_t mapped);
  [[nodiscard]] dofa_slot* slot_at(std::uint32_t index) const;
  [[nodiscard]] bool done(std::uint32_t index) const;
  [[nodiscard]] StreamResult read(std::uint32_t index);

  dofa_ring* shared_ = nullptr;
  std::size_t mapped_ = 0;
  dofa_ring head_{};  ///< our copy: what counts
  mutable std::mutex mutex_;
  std::vector<Slot> slots_;
  std::uint32_t next_ = 0;  ///< where to look first for a free slot
};

}  // namespace dofa::client

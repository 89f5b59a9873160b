// SPDX-License-Identifier: Apache-2.0
// The service's half of a frame ring, played by a test: frames are answered on a thread of its own, the first
// byte of the pixels as the best class, or kept until the test says so. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "proto/compat.hpp"
#include "proto/frame_ring.h"

namespace dofa::test {

using Dictionary = std::map<std::string, sdbus::Variant>;

class FakeStream {
 public:
  using Spoil = std::function<void(dofa_ring& head)>;
  static constexpr std::uint32_t kRawFloats = 3;
  /// What `head.refused` holds while a head is spoiled; anything else leaves the memory's size unsealed.
  static constexpr std::uint64_t kSealed = 1;

  FakeStream(const Dictionary& format, const Spoil& spoil);
  ~FakeStream();
  FakeStream(const FakeStream&) = delete;
  FakeStream& operator=(const FakeStream&) = delete;

  [[nodiscard]] sdbus::UnixFd memory() const;  ///< a copy of the descriptor, for the application
  [[nodiscard]] sdbus::UnixFd take_doorbell();

  /// Frames are answered at once, or kept until answer().
  void hold(bool hold);
  /// Waits until `count` frames are kept, then answers them all, the last one first.
  void answer(std::size_t count);
  /// Changes each answer before it is published.
  void alter(std::function<void(dofa_result&)> alter);
  /// Rings without a reason.
  void ring() const;
  void hang_up();
  /// Overwrites the head that the application has read when the stream was opened.
  void scribble_head();

  [[nodiscard]] std::uint64_t refused() const;
  [[nodiscard]] dofa_frame last_frame();  ///< its header
  /// The best class of each answer so far: the first byte of its frame.
  [[nodiscard]] std::vector<std::uint32_t> classes();

 private:
  void serve();
  void reply(std::uint32_t index);

  dofa_ring head_{};
  sdbus::UnixFd fd_;
  char* data_ = nullptr;
  sdbus::UnixFd ours_;
  sdbus::UnixFd theirs_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool hold_ = false;
  std::vector<std::uint32_t> held_;
  std::function<void(dofa_result&)> alter_;
  dofa_frame last_frame_{};
  std::vector<std::uint32_t> classes_;
  std::thread thread_;
};

}  // namespace dofa::test

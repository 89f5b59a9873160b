// SPDX-License-Identifier: Apache-2.0
// A runtime with a fake family and a stream server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "daemon/stream/server.hpp"
#include "tests/support/deadline.hpp"
#include "tests/support/fake_family.hpp"
#include "tests/support/ring_client.hpp"

namespace dofa::test {

struct Rig {
  explicit Rig(config::LimitOptions limits = {}, std::uint32_t lanes = 1);
  /// Opens the gate: a test that failed while it was closed must not wait for its workers for ever.
  ~Rig() { family->gate().open(); }

  std::shared_ptr<control::Session> open_session(policy::Contract contract = {}, std::uint32_t uid = 1000);
  /// A stream of `format` frames; fails the test where it is refused.
  RingClient open_stream(const std::shared_ptr<control::Session>& session,
                         const control::StreamRequest& request);

  Deadline deadline;
  std::shared_ptr<FakeFamily> family;
  control::Runtime runtime;
  stream::Server server;
};

/// rgb8 of `side` x `side`, `slots` slots.
control::StreamRequest square(std::uint32_t side, std::uint32_t slots = 4);
/// What serve_honestly() needs: small frames with raw output, at level 0.
control::StreamRequest honest_request();
policy::Contract lowest_level();
/// Submits `frames` frames one by one, numbered and coloured from `first` on, and checks each answer; false
/// at the first that is wrong or does not come.
bool serve_honestly(RingClient& client, std::uint64_t frames, std::uint64_t first = 0);

/// Yields until `holds`; false after ten seconds.
bool eventually(const std::function<bool()>& holds);
/// How many mappings of frame rings this process has.
int mapped_rings();

}  // namespace dofa::test

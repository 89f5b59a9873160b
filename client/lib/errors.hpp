// SPDX-License-Identifier: Apache-2.0
// Turns what the bus throws into dofa::client::Error. Stateless.
#pragma once

#include <dofa/client_types.hpp>

#include <chrono>
#include <string>
#include <utility>

#include "proto/compat.hpp"

namespace dofa::client {

/// `name` is a D-Bus error name: one of the service's, of the bus's or of sd-bus's own. `timeout`: how long
/// the answer was waited for.
Error error_from(const std::string& name, const std::string& message, std::chrono::microseconds timeout);

/// Runs `call`, which waits for `timeout` at most, and lets nothing but dofa::client::Error out.
template <class Call>
auto translated(std::chrono::microseconds timeout, Call&& call) -> decltype(call()) {
  try {
    return std::forward<Call>(call)();
  } catch (const sdbus::Error& error) {
    throw error_from(error.getName(), error.getMessage(), timeout);
  }
}

}  // namespace dofa::client

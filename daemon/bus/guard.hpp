// SPDX-License-Identifier: Apache-2.0
// The boundary between C++ and D-Bus: every callback runs inside guard(), because sdbus-c++ before 1.5 ends
// the process on any exception but its own, and LibTorch throws. Stateless; thread-safe.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

#include "daemon/base.hpp"
#include "proto/compat.hpp"
#include "proto/names.hpp"

namespace dofa::bus {

static_assert(proto::kErrorNames.size() == kErrorCodeCount,
              "each error code needs its D-Bus name, in the same order");

/// The D-Bus error of ours.
inline sdbus::Error to_dbus(const Error& error) {
  const auto name = proto::kErrorNames[static_cast<std::size_t>(error.code)];
  return proto::error(std::string(proto::kErrorPrefix) + std::string(name), error.message);
}

/// The value, or the error thrown as its D-Bus error.
template <class T>
T require(Result<T> result) {
  if (!result) throw to_dbus(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

/// Runs `call`; a foreign exception is logged and leaves as Error.Failed.
template <class F>
auto guard(const char* member, F&& call) -> decltype(call()) {
  try {
    return call();
  } catch (const sdbus::Error&) {
    throw;
  } catch (const std::exception& fault) {
    spdlog::error("{}: {}", member, fault.what());
    throw to_dbus({ErrorCode::kFailed, fault.what()});
  } catch (...) {
    spdlog::error("{}: an unknown exception", member);
    throw to_dbus({ErrorCode::kFailed, "an unknown exception"});
  }
}

/// guard() for methods that answer later: whatever `call` throws becomes the reply.
template <class ReplyType, class F>
void guard_async(const char* member, ReplyType& reply, F&& call) noexcept {
  try {
    try {
      guard(member, std::forward<F>(call));
    } catch (const sdbus::Error& error) {
      reply.returnError(error);
    }
  } catch (const std::exception& fault) {
    spdlog::warn("{}: the reply could not be sent: {}, ignoring", member, fault.what());
  }
}

}  // namespace dofa::bus

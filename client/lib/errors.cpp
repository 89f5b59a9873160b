// SPDX-License-Identifier: Apache-2.0
#include "client/lib/errors.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "client/lib/membership.hpp"
#include "proto/names.hpp"

namespace dofa::client {

namespace {

// The service's errors come first in ErrorCode, in the order of the table that the daemon uses too.
static_assert(static_cast<std::size_t>(ErrorCode::kUnreachable) == proto::kErrorNames.size());

struct Foreign {
  std::string_view name;
  ErrorCode code;
};
constexpr std::string_view kFreedesktop = "org.freedesktop.DBus.Error.";
constexpr std::array kFreedesktopErrors{
    Foreign{"ServiceUnknown", ErrorCode::kUnreachable},
    Foreign{"NameHasNoOwner", ErrorCode::kUnreachable},
    Foreign{"Disconnected", ErrorCode::kUnreachable},
    Foreign{"NoServer", ErrorCode::kUnreachable},
    Foreign{"NoReply", ErrorCode::kUnreachable},
    Foreign{"Timeout", ErrorCode::kTimedOut},
    Foreign{"TimedOut", ErrorCode::kTimedOut},
    Foreign{"AccessDenied", ErrorCode::kNotAuthorized},
    Foreign{"AuthFailed", ErrorCode::kNotAuthorized},
    Foreign{"InteractiveAuthorizationRequired", ErrorCode::kNotAuthorized},
    Foreign{"UnknownObject", ErrorCode::kNotFound},
    Foreign{"UnknownMethod", ErrorCode::kNotSupported},
    Foreign{"UnknownInterface", ErrorCode::kNotSupported},
    Foreign{"UnknownProperty", ErrorCode::kNotSupported},
    Foreign{"NotSupported", ErrorCode::kNotSupported},
    Foreign{"InvalidArgs", ErrorCode::kInvalidArgument},
    Foreign{"InvalidSignature", ErrorCode::kInvalidArgument},
    Foreign{"LimitsExceeded", ErrorCode::kResourceExhausted},
    Foreign{"NoMemory", ErrorCode::kResourceExhausted},
};
/// How sd-bus spells an errno that has no name of its own: a connection that broke.
constexpr std::array<std::string_view, 4> kBrokenConnection{
    "System.Error.ENOTCONN", "System.Error.ECONNRESET", "System.Error.EPIPE", "System.Error.ESHUTDOWN"};

ErrorCode code_of(std::string_view name, std::string_view message) {
  if (name.starts_with(proto::kErrorPrefix)) {
    name.remove_prefix(proto::kErrorPrefix.size());
    const auto found = std::ranges::find(proto::kErrorNames, name);
    // A name that this library does not know yet is a failure like any other.
    if (found == proto::kErrorNames.end()) return ErrorCode::kFailed;
    return static_cast<ErrorCode>(found - proto::kErrorNames.begin());
  }
  if (name.starts_with(kFreedesktop)) {
    name.remove_prefix(kFreedesktop.size());
    // One name for two things: sd-bus gave up waiting, or the other side went away before it answered.
    if (name == "NoReply" && message.find("timed out") != message.npos) return ErrorCode::kTimedOut;
    if (name.starts_with("Spawn.")) return ErrorCode::kUnreachable;
    const auto found = std::ranges::find(kFreedesktopErrors, name, &Foreign::name);
    if (found != kFreedesktopErrors.end()) return found->code;
  }
  if (std::ranges::find(kBrokenConnection, name) != kBrokenConnection.end()) return ErrorCode::kUnreachable;
  return ErrorCode::kFailed;
}

/// "25 s", "0.5 s".
std::string seconds_text(std::chrono::microseconds time) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g s", std::chrono::duration<double>(time).count());
  return text.data();
}

}  // namespace

std::string_view name_of(ErrorCode code) {
  if (code == ErrorCode::kUnreachable) return "Unreachable";
  if (code == ErrorCode::kTimedOut) return "TimedOut";
  return proto::kErrorNames[static_cast<std::size_t>(code)];
}

Error error_from(const std::string& name, const std::string& message, std::chrono::microseconds timeout) {
  const ErrorCode code = code_of(name, message);
  const bool ours = name.starts_with(proto::kErrorPrefix);
  if (code == ErrorCode::kUnreachable && !ours)
    return {code, "no answer from " + std::string(proto::kBusName) + ": " + message};
  // In sd-bus's words ("Method call timed out") nobody is named.
  if (code == ErrorCode::kTimedOut && !ours && message.ends_with(" timed out"))
    return {code, "dofad did not answer in " + seconds_text(timeout)};
  const std::string& words = message.empty() ? name : message;
  // The bus itself refuses: it lets in whom the shipped policy names.
  if (name == std::string(kFreedesktop) + "AccessDenied")
    return {code, explained(words, user_name(), membership())};
  return {code, words};
}

}  // namespace dofa::client

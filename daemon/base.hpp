// SPDX-License-Identifier: Apache-2.0
// What every room shares: the closed list of error codes and a result type. Values only, no state,
// thread-safe. The table from codes to D-Bus names is proto/errors.hpp's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace dofa {

/// Why something could not be done. Closed: a new code needs a D-Bus name and a line in the API's
/// documentation.
enum class ErrorCode : std::uint8_t {
  kFailed,           ///< unexpected: a bug or a failing system
  kInvalidArgument,  ///< the caller's value is malformed or out of range
  kNotFound,         ///< no such session, family, level, file
  kAlreadyExists,    ///< the name is taken
  kBusy,             ///< in use; try again once it is released
  kNotReady,         ///< still loading or shutting down
  kNotSupported,     ///< well-formed, but this build or machine cannot do it
  kNotAuthorized,    ///< the caller lacks the right
  kCancelled,        ///< ended by the caller, its death or a shutdown
  kMissedDeadline,   ///< the frame could not be answered in time
  kUnsatisfiable,    ///< no operating point can keep this contract; the message names the nearest that could
  kResourceExhausted,  ///< a configured limit is reached; the message names it
  kInvalidFamily,      ///< a family's files are missing, corrupt or inconsistent
};
inline constexpr std::size_t kErrorCodeCount = 13;

/// An error with one line for a person: what was wrong, and where it helps, what would be right.
struct Error {
  ErrorCode code = ErrorCode::kFailed;
  std::string message;
};

/// Either a value or an Error. `if (!result) return result.error();`
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Error error)
      : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  [[nodiscard]] const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

/// A Result without a value: success or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  Error error_;
  bool ok_ = true;
};

}  // namespace dofa

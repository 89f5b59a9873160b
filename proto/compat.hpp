// SPDX-License-Identifier: Apache-2.0
// What differs between sdbus-c++ 1.x and 2.x, in the one place that knows. Generated glue (from the XML, at
// build time) hides the rest. DOFA_SDBUS_V2 comes from the build.
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <functional>
#include <string>

namespace dofa::proto {

#ifdef DOFA_SDBUS_V2
using BusName = sdbus::ServiceName;
using InterfaceName = sdbus::InterfaceName;
using MethodName = sdbus::MethodName;
using PropertyName = sdbus::PropertyName;
using ErrorName = sdbus::Error::Name;
inline sdbus::Message current_message(const sdbus::IObject& object) {
  return object.getCurrentlyProcessedMessage();
}
#else
using BusName = std::string;
using InterfaceName = std::string;
using MethodName = std::string;
using PropertyName = std::string;
using ErrorName = std::string;
inline const sdbus::Message& current_message(const sdbus::IObject& object) {
  return *object.getCurrentlyProcessedMessage();
}
#endif

/// An exception that becomes the D-Bus error `name` with `message`.
inline sdbus::Error error(const std::string& name, const std::string& message) {
  return sdbus::Error{ErrorName{name}, message};
}

namespace detail {
template <class Handler>
struct ErrorArgument;
template <class Reply, class Argument>
struct ErrorArgument<std::function<void(Reply, Argument)>> {
  using type = Argument;
};
}  // namespace detail
/// What a reply handler is told of an error: a pointer in sdbus-c++ 1.x, an optional in 2.x; both read `if
/// (error)`.
using ReplyError = detail::ErrorArgument<sdbus::async_reply_handler>::type;

}  // namespace dofa::proto

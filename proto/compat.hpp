// SPDX-License-Identifier: Apache-2.0
// What differs between sdbus-c++ 1.x and 2.x, in the one place that knows. Generated glue (from the XML, at build time)
// hides the rest. DOFA_SDBUS_V2 comes from the build.
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <string>

namespace dofa::proto {

#ifdef DOFA_SDBUS_V2
using BusName = sdbus::ServiceName;
using InterfaceName = sdbus::InterfaceName;
using PropertyName = sdbus::PropertyName;
using ErrorName = sdbus::Error::Name;
inline sdbus::Message current_message(const sdbus::IObject& object) { return object.getCurrentlyProcessedMessage(); }
#else
using BusName = std::string;
using InterfaceName = std::string;
using PropertyName = std::string;
using ErrorName = std::string;
inline const sdbus::Message& current_message(const sdbus::IObject& object) { return *object.getCurrentlyProcessedMessage(); }
#endif

/// An exception that becomes the D-Bus error `name` with `message`.
inline sdbus::Error error(const std::string& name, const std::string& message) {
  return sdbus::Error{ErrorName{name}, message};
}

}  // namespace dofa::proto

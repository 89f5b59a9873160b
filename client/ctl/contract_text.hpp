// SPDX-License-Identifier: Apache-2.0
// A contract as `key=value` words, the way people type and read it. The keys are those of the bus
// (org.dofa.Dofa1.Session.xml). Pure functions.
#pragma once

#include <dofa/client_types.hpp>

#include <string>
#include <string_view>

#include "client/ctl/usage.hpp"
#include "proto/json_writer.hpp"

namespace dofa::ctl {

/// Sets one key from "key=value". Checks the value's type, not its range: the service knows what it accepts.
/// Throws UsageError for an unknown key, a key that is set already and a value of the wrong type.
void set_from_text(client::Contract& contract, std::string_view assignment);

/// "latency-budget-us=30000 min-accuracy=0.7": only the keys that are set, in the order of the documentation.
std::string to_text(const client::Contract& contract);

/// An object with the bus's keys.
void write_json(json::Writer& writer, const client::Contract& contract);

}  // namespace dofa::ctl

// SPDX-License-Identifier: Apache-2.0
// A contract as `key=value` words, the way people type and read it. The keys are those of the bus
// (org.dofa.Dofa1.Session.xml). Pure functions.
#pragma once

#include <dofa/client_types.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/ctl/usage.hpp"
#include "proto/json_writer.hpp"

namespace dofa::ctl {

/// Sets one key from "key=value". Checks the value's type, not its range: the service knows what it accepts.
/// Throws UsageError for an unknown key, a key that is set already and a value of the wrong type.
void set_from_text(client::Contract& contract, std::string_view assignment);

/// All keys, in the order of the documentation.
std::vector<std::string_view> contract_keys();
/// The words that a key knows ("deliver", "drop"); none where its value is a number or anybody's.
std::span<const std::string_view> contract_words(std::string_view key);
/// The same for a change: "key=" returns the key to its default.
void change_from_text(client::Contract& changes, std::string_view assignment);

/// "latency-budget-us=30000 min-accuracy=0.7": only the keys that are set, in the order of the documentation.
std::string to_text(const client::Contract& contract);

/// An object with the bus's keys.
void write_json(json::Writer& writer, const client::Contract& contract);

}  // namespace dofa::ctl

// SPDX-License-Identifier: Apache-2.0
// Between D-Bus dictionaries and plain structs: types and ranges are checked here, keys nobody knows are
// refused. Stateless; thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "daemon/base.hpp"
#include "daemon/control/stream_gate.hpp"
#include "daemon/engine/image.hpp"
#include "daemon/policy/contract.hpp"
#include "proto/compat.hpp"

namespace dofa::bus {

using Dictionary = std::map<std::string, sdbus::Variant>;

/// What OpenSession is given. kInvalidArgument names the key; ranges are policy::validate's.
Result<policy::Contract> parse_contract(const Dictionary& contract);
/// `contract` as SetContract's `changes` make it: first the keys listed under "unset" return to their
/// defaults.
Result<policy::Contract> apply_changes(policy::Contract contract, const Dictionary& changes);
/// Only the keys that say something: unset optionals are left out.
Dictionary to_dictionary(const policy::Contract& contract);

/// What Infer's format dictionary says.
struct FrameFormat {
  engine::ImageLayout layout;  ///< checked
  std::uint64_t bytes = 0;     ///< that the frame must hold
  std::uint32_t top_k = 5;
  std::int64_t deadline_us = 0;  ///< relative; 0 = the contract's
};
Result<FrameFormat> parse_format(const Dictionary& format);

/// What OpenStream's format dictionary says; the layout is not checked yet.
Result<control::StreamRequest> parse_stream_request(const Dictionary& format);

/// The boolean option `force` of a dictionary that holds nothing else.
Result<bool> parse_force(const Dictionary& options);

/// An element of an object path out of any text: A-Z a-z 0-9 stay, other bytes become _xx (systemd's
/// bus_label_escape).
std::string escape_path(const std::string& text);

}  // namespace dofa::bus

// SPDX-License-Identifier: Apache-2.0
// The shapes that more than one verb prints: cells of tables (empty where a value is not known) and JSON
// members (absent where it is not). Pure functions.
#pragma once

#include <dofa/client_types.hpp>

#include <optional>
#include <string>

#include "client/ctl/table.hpp"
#include "proto/json_writer.hpp"

namespace dofa::ctl {

std::string percent(double share);                     ///< "71.3 %"; "" for NaN
std::string milliseconds(std::uint64_t microseconds);  ///< "12.35 ms"
std::string bytes(std::uint64_t count);                ///< "34.1 MiB"
std::string fixed(double value, int decimals);

template <class Value, class Format>
std::string cell(const std::optional<Value>& value, Format format) {
  return value ? format(*value) : std::string();
}
inline std::string cell(const std::optional<std::uint32_t>& value) {
  return value ? std::to_string(*value) : "";
}

template <class Value>
void optional_member(json::Writer& writer, std::string_view name, const std::optional<Value>& value) {
  if (value) writer.member(name, *value);
}

Table processors_table(const std::vector<client::Processor>& processors);
/// An array of objects.
void write_json(json::Writer& writer, const std::vector<client::Processor>& processors);
/// Likewise.
void write_json(json::Writer& writer, const std::vector<client::Subnet>& subnets);
/// An object; `labels` says whether the class names are part of it, or only their number.
void write_json(json::Writer& writer, const client::Family& family, bool labels);

}  // namespace dofa::ctl

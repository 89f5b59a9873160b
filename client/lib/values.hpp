// SPDX-License-Identifier: Apache-2.0
// Between the bus's dictionaries and the library's structs. Reading is forgiving where a newer service may
// differ: unknown keys are passed over, integers are taken in any integer type. Stateless.
#pragma once

#include <dofa/stream.hpp>

#include <map>
#include <string>

#include "proto/compat.hpp"

namespace dofa::client {

using Dictionary = std::map<std::string, sdbus::Variant>;

Dictionary to_dictionary(const Contract& contract);
Dictionary to_dictionary(const Frame& frame, const InferOptions& options);
Dictionary to_dictionary(const StreamOptions& options);

Contract contract_from(const Dictionary& dictionary);
std::vector<Processor> processors_from(const std::map<std::string, Dictionary>& processors);
Family family_from(const Dictionary& properties);
/// Its `family` is still the family's object path.
SessionInfo session_from(const std::string& id, const Dictionary& properties);
/// One of RecentFrames: arrival, queue and service µs, level, outcome.
using FrameTuple = sdbus::Struct<std::uint64_t, std::uint32_t, std::uint32_t, std::uint32_t, std::uint8_t>;
FrameRecord frame_record_from(const FrameTuple& frame);
Answer answer_from(const std::vector<sdbus::Struct<std::uint32_t, double>>& top, const Dictionary& info);

/// One property's value in words, for people: `true`, `12`, `0.71`, `text`, `{key: value, …}`, `[3 values]`.
std::string to_words(const sdbus::Variant& value);

/// The last part of an object path, which names the session or family.
std::string last_part(const std::string& path);

/// 1.x has plain strings as property names, 2.x a type of its own.
template <class Name>
Dictionary plain(const std::map<Name, sdbus::Variant>& properties) {
  return {properties.begin(), properties.end()};
}

}  // namespace dofa::client

// SPDX-License-Identifier: Apache-2.0
// The lines of a recording, each a JSON object with its newline. The inverse of read(). Pure functions.
#pragma once

#include <dofa/client.hpp>

#include <string>
#include <vector>

#include "client/recording/recording.hpp"

namespace dofa::recording {

inline constexpr int kSchema = 1;

std::string start_line(std::int64_t time_us, const std::string& service_version, std::int64_t interval_us);
std::string family_line(std::int64_t t_us, const client::Family& family);
/// At its first sight and whenever its contract has changed.
std::string session_line(std::int64_t t_us, const client::SessionInfo& session);
std::string frame_line(const std::string& session, const Frame& frame);
std::string processors_line(std::int64_t t_us, const std::vector<client::Processor>& processors);
std::string lost_line(std::int64_t t_us, const std::string& session, std::uint64_t frames);
/// Empty where the event is none that a recording keeps.
std::string event_line(std::int64_t t_us, const client::Event& event);
std::string end_line(std::int64_t t_us);

/// "in-time", "late" or "dropped".
const char* name_of(client::FrameRecord::Outcome outcome);

}  // namespace dofa::recording

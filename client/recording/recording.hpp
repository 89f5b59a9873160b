// SPDX-License-Identifier: Apache-2.0
// What `dofactl record` writes and `dofactl plot` reads: one JSON object a line, each with a "type" and a
// time "t_us" since the recording began; the first line is of type "start" and carries "schema": 1.
// dofactl(1) lists the types and their members. Values and pure functions; one recording belongs to one
// thread.
#pragma once

#include <dofa/client_types.hpp>

#include <cstdint>
#include <istream>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace dofa::recording {

struct Frame {
  std::int64_t t_us = 0;  ///< its arrival
  std::uint64_t queue_us = 0;
  std::uint64_t service_us = 0;
  std::uint32_t level = 0;
  client::FrameRecord::Outcome outcome = client::FrameRecord::Outcome::kInTime;
  [[nodiscard]] bool answered() const { return outcome != client::FrameRecord::Outcome::kDropped; }
  [[nodiscard]] std::uint64_t latency_us() const { return queue_us + service_us; }
};

/// A change of sub-network, or a contract that cannot be kept: what a plot marks.
struct Mark {
  enum class Kind { kSwitch, kUnmet };
  std::int64_t t_us = 0;
  Kind kind = Kind::kSwitch;
  client::SubnetChange change = {};  ///< kSwitch
  std::string reason;
  client::Contract nearest = {};  ///< kUnmet
};

struct ContractStep {
  std::int64_t t_us = 0;
  client::Contract contract;
};

/// One session from its first to its last line.
struct Session {
  std::string id;
  std::string application;
  std::string family;
  std::vector<ContractStep> contracts;  ///< in force from their times on
  std::vector<Frame> frames;            ///< by arrival
  std::vector<Mark> marks;
  std::uint64_t lost = 0;  ///< frames that were answered too fast for the recorder to see
  std::optional<std::int64_t> closed_us = {};
};

struct Level {
  std::string name;
  std::optional<double> top1;
};

struct Sample {
  std::int64_t t_us = 0;
  client::Processor processor;
};

struct Recording {
  std::int64_t time_us = 0;  ///< µs since 1970 when it began
  std::string service_version;
  std::int64_t duration_us = 0;                        ///< to its last line
  std::map<std::string, std::vector<Level>> families;  ///< by name, levels fastest first
  std::vector<Session> sessions;                       ///< in the order they appeared
  std::map<std::string, std::vector<Sample>> processors;
};

/// Lines of unknown types and unknown members are passed over; a last line that was cut short too. Throws
/// std::runtime_error "line N: …" for anything else that is no recording.
Recording read(std::istream& file);

}  // namespace dofa::recording

// SPDX-License-Identifier: Apache-2.0
// What `dofactl top` knows: the latest look at the service, and what it remembers of the looks before
// (latencies, rates, events). Time comes in as an argument; nothing here asks anybody. One thread's.
#pragma once

#include <dofa/client.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace dofa::top {

/// One look at the service.
struct Snapshot {
  std::int64_t time_us = 0;  ///< CLOCK_MONOTONIC
  client::Service service;
  std::map<std::string, std::uint32_t> family_levels;  ///< levels of each loaded family, by its name
  std::vector<client::SessionInfo> sessions;
  /// New frames since the previous look, by session.
  std::map<std::string, std::vector<client::FrameRecord>> frames;
};

/// The frames between two looks.
struct Interval {
  std::int64_t begin_us = 0;
  std::int64_t end_us = 0;
  std::uint32_t frames = 0;
  std::uint32_t missed = 0;                      ///< late or dropped
  std::optional<std::uint64_t> latency_us = {};  ///< 95 % were faster; absent where none was answered
};

/// What happened to a session, for people.
struct Note {
  std::string clock;  ///< local time of day
  std::string words;
};

struct Row {
  client::SessionInfo info;
  std::uint32_t levels = 0;      ///< of its family; 0 = not known
  std::deque<Interval> history;  ///< oldest first
  std::deque<Note> notes;        ///< latest first

  [[nodiscard]] std::optional<std::uint64_t> latency_us() const;  ///< of the latest interval that has one
  /// Over the last `span_us`: frames a second, and the share in time (absent without frames).
  [[nodiscard]] double frames_per_s(std::int64_t span_us) const;
  [[nodiscard]] std::optional<double> in_time(std::int64_t span_us) const;
};

class Model {
 public:
  static constexpr std::size_t kHistory = 240;  // looks: as wide as a screen may be
  static constexpr std::size_t kNotes = 20;

  void take(Snapshot snapshot);
  /// The service is not reachable, and why; what was known stays on the screen.
  void lose(const std::string& why);
  void note(const std::string& session, Note note);
  /// The service has not answered for so long.
  void await(std::chrono::seconds time) { waiting_ = time; }

  [[nodiscard]] bool known() const { return known_; }
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  [[nodiscard]] std::chrono::seconds waiting() const { return waiting_; }
  [[nodiscard]] const client::Service& service() const { return service_; }
  [[nodiscard]] std::size_t families() const { return families_; }
  /// In the order of the service's list.
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }

 private:
  bool known_ = false;
  std::string trouble_;
  std::chrono::seconds waiting_ = {};
  client::Service service_;
  std::size_t families_ = 0;
  std::vector<Row> rows_;
  std::int64_t time_us_ = 0;
};

}  // namespace dofa::top

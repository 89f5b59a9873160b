// SPDX-License-Identifier: Apache-2.0
#include "client/recording/recording.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "proto/names.hpp"

namespace dofa::recording {

namespace {

using Json = nlohmann::json;
namespace key = proto::contract_key;

template <class T>
std::optional<T> find(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::nullopt;
  return found->get<T>();
}

template <class T>
void take(std::optional<T>& into, const Json& object, const char* name) {
  into = find<T>(object, name);
}

client::Contract contract_of(const Json& object) {
  client::Contract contract;
  take(contract.latency_budget_us, object, key::kLatencyBudgetUs);
  take(contract.min_accuracy, object, key::kMinAccuracy);
  take(contract.period_us, object, key::kPeriodUs);
  take(contract.objective, object, key::kObjective);
  take(contract.percentile, object, key::kPercentile);
  take(contract.priority, object, key::kPriority);
  take(contract.when_late, object, key::kWhenLate);
  take(contract.level, object, key::kLevel);
  take(contract.processor, object, key::kProcessor);
  return contract;
}

client::Processor processor_of(const Json& object) {
  client::Processor processor{.name = object.at("name").get<std::string>()};
  take(processor.lanes, object, "lanes");
  take(processor.queue, object, "queue");
  take(processor.load, object, "load");
  take(processor.others_load, object, "others_load");
  take(processor.slowdown, object, "slowdown");
  take(processor.frequency_mhz, object, "frequency_mhz");
  take(processor.temperature_celsius, object, "temperature_celsius");
  take(processor.power_watts, object, "power_watts");
  return processor;
}

client::FrameRecord::Outcome outcome_of(const std::string& word) {
  using Outcome = client::FrameRecord::Outcome;
  if (word == "in-time") return Outcome::kInTime;
  return word == "late" ? Outcome::kLate : Outcome::kDropped;
}

class Reader {
 public:
  void add(const Json& line) {
    const auto type = line.at("type").get<std::string>();
    if (!started_) {
      start(line, type);
      return;
    }
    const auto t_us = line.at("t_us").get<std::int64_t>();
    recording_.duration_us = std::max(recording_.duration_us, t_us);
    if (type == "family") {
      add_family(line);
    } else if (type == "session") {
      add_session(line, t_us);
    } else if (type == "processors") {
      for (const auto& one : line.at("processors")) {
        auto processor = processor_of(one);
        recording_.processors[processor.name].push_back({.t_us = t_us, .processor = processor});
      }
    } else if (type == "service") {
      // Sessions do not outlive the service; numbers begin anew.
      for (auto& session : recording_.sessions) session.closed_us = session.closed_us.value_or(t_us);
    } else if (line.contains("session")) {
      // One that has closed may still get the frames that were asked for just before; what happens to one
      // before the recorder first looked at it waits for its line.
      const auto id = line.at("session").get<std::string>();
      Session* session = latest_session(id);
      add_to(session != nullptr ? *session : early_[id], line, type, t_us);
    }
  }

  Recording finish() {
    if (!started_) throw std::runtime_error("line 1: is no recording of dofactl");
    for (auto& session : recording_.sessions)
      std::ranges::stable_sort(session.frames, {}, &Frame::t_us);  // answers overtake one another
    return std::move(recording_);
  }

 private:
  void start(const Json& line, const std::string& type) {
    if (type != "start" || line.at("schema").get<int>() != 1)
      throw std::runtime_error("is no recording that this dofactl can read");
    recording_.time_us = line.at("time_us").get<std::int64_t>();
    recording_.service_version = find<std::string>(line, "service_version").value_or("");
    started_ = true;
  }

  void add_family(const Json& line) {
    auto& levels = recording_.families[line.at("family").get<std::string>()];
    levels.clear();
    for (const auto& subnet : line.at("subnets"))
      levels.push_back({.name = subnet.at("name").get<std::string>(), .top1 = find<double>(subnet, "top1")});
  }

  void add_session(const Json& line, std::int64_t t_us) {
    const auto id = line.at("session").get<std::string>();
    Session* session = latest_session(id);
    if (session == nullptr || session->closed_us) {
      session = &recording_.sessions.emplace_back(std::exchange(early_[id], {}));
      session->id = id;
      session->application = line.at("application").get<std::string>();
      session->family = line.at("family").get<std::string>();
    }
    session->contracts.push_back({.t_us = t_us, .contract = contract_of(line.at("contract"))});
  }

  static void add_to(Session& session, const Json& line, const std::string& type, std::int64_t t_us) {
    if (type == "frame") {
      session.frames.push_back({.t_us = t_us,
                                .queue_us = find<std::uint64_t>(line, "queue_us").value_or(0),
                                .service_us = find<std::uint64_t>(line, "service_us").value_or(0),
                                .level = find<std::uint32_t>(line, "level").value_or(0),
                                .outcome = outcome_of(line.at("outcome").get<std::string>())});
    } else if (type == "switch") {
      session.marks.push_back({.t_us = t_us,
                               .kind = Mark::Kind::kSwitch,
                               .change = {.from = line.at("from").get<std::string>(),
                                          .to = line.at("to").get<std::string>(),
                                          .processor = line.at("processor").get<std::string>(),
                                          .reason = line.at("reason").get<std::string>()},
                               .reason = line.at("reason").get<std::string>()});
    } else if (type == "unmet") {
      session.marks.push_back({.t_us = t_us,
                               .kind = Mark::Kind::kUnmet,
                               .reason = line.at("reason").get<std::string>(),
                               .nearest = contract_of(line.at("nearest"))});
    } else if (type == "lost") {
      session.lost += line.at("frames").get<std::uint64_t>();
    } else if (type == "closed") {
      session.closed_us = t_us;
    }
  }

  Session* latest_session(const std::string& id) {
    const auto found = std::find_if(recording_.sessions.rbegin(), recording_.sessions.rend(),
                                    [&](const Session& session) { return session.id == id; });
    return found == recording_.sessions.rend() ? nullptr : &*found;
  }

  Recording recording_;
  std::map<std::string, Session> early_;  ///< by number: what came before the session's own line
  bool started_ = false;
};

}  // namespace

Recording read(std::istream& file) {
  Reader reader;
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    if (line.empty()) continue;
    const bool cut_short = file.eof();  // no newline: whoever wrote it was stopped there
    try {
      reader.add(Json::parse(line));
    } catch (const Json::exception&) {
      if (cut_short && number > 1) break;
      throw std::runtime_error("line " + std::to_string(number) + ": is no line of a recording");
    } catch (const std::runtime_error& error) {
      throw std::runtime_error("line " + std::to_string(number) + ": " + error.what());
    }
  }
  return reader.finish();
}

}  // namespace dofa::recording

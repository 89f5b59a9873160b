// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/text.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <cmath>
#include <limits>
#include <optional>
#include <sstream>

namespace dofa::metrics {
namespace {

using Labels = std::vector<prometheus::ClientMetric::Label>;

constexpr double kSecondsPerUs = 1e-6;

/// One metric with its samples, built up and then moved into the list; one without samples is left out.
class Metric {
 public:
  Metric(std::vector<prometheus::MetricFamily>& all, prometheus::MetricType type, std::string name,
         std::string help)
      : all_(all) {
    family_.type = type;
    family_.name = std::move(name);
    family_.help = std::move(help);
  }
  ~Metric() {
    if (!family_.metric.empty()) all_.push_back(std::move(family_));
  }
  Metric(const Metric&) = delete;
  Metric& operator=(const Metric&) = delete;

  void add(double value, Labels labels = {}) {
    prometheus::ClientMetric sample;
    sample.label = std::move(labels);
    (family_.type == prometheus::MetricType::Counter ? sample.counter.value : sample.gauge.value) = value;
    family_.metric.push_back(std::move(sample));
  }
  void add(const std::optional<double>& value, Labels labels) {
    if (value) add(*value, std::move(labels));
  }

 private:
  std::vector<prometheus::MetricFamily>& all_;
  prometheus::MetricFamily family_;
};

class Report {
 public:
  Metric gauge(const char* name, const char* help) {
    return {all_, prometheus::MetricType::Gauge, name, help};
  }
  Metric counter(const char* name, const char* help) {
    return {all_, prometheus::MetricType::Counter, name, help};
  }
  [[nodiscard]] std::string text() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, all_);
    return out.str();
  }

 private:
  std::vector<prometheus::MetricFamily> all_;
};

void add_totals(Report& report, const Reading& reading) {
  report.gauge("dofad_build_info", "Version of the running service.").add(1, {{"version", reading.version}});
  report.counter("dofad_frames_total", "Frames submitted by all sessions since the start.")
      .add(static_cast<double>(reading.totals.frames));
  report.counter("dofad_missed_deadlines_total", "Frames answered late, dropped or refused.")
      .add(static_cast<double>(reading.totals.missed));
  report.counter("dofad_dropped_total", "Frames never run: dropped as late, or refused.")
      .add(static_cast<double>(reading.totals.dropped));
  report.counter("dofad_switches_total", "Changes of a session's planned level.")
      .add(static_cast<double>(reading.totals.switches));
  report.gauge("dofad_sessions", "Sessions that are open.").add(static_cast<double>(reading.sessions.size()));
}

/// A gauge over all processors.
template <class Value>
void add_processors(Report& report, const Reading& reading, const char* name, const char* help, Value value) {
  Metric metric = report.gauge(name, help);
  for (const auto& processor : reading.processors)
    metric.add(value(processor), {{"processor", processor.name}});
}

void add_processors(Report& report, const Reading& reading) {
  using control::ProcessorStatus;
  const auto whole = [](auto number) { return std::optional(static_cast<double>(number)); };
  add_processors(report, reading, "dofad_processor_lanes", "Executors of the processor.",
                 [&](const ProcessorStatus& p) { return whole(p.lanes); });
  add_processors(report, reading, "dofad_processor_usable", "0 while the processor is lost.",
                 [](const ProcessorStatus& p) { return std::optional(p.lost.empty() ? 1.0 : 0.0); });
  add_processors(report, reading, "dofad_processor_queue_frames", "Frames waiting.",
                 [&](const ProcessorStatus& p) { return whole(p.queue); });
  add_processors(report, reading, "dofad_processor_slowdown_ratio", "Measured over profiled inference time.",
                 [](const ProcessorStatus& p) { return std::optional(p.slowdown); });
  add_processors(report, reading, "dofad_processor_load_ratio", "Load of everything on the machine.",
                 [](const ProcessorStatus& p) { return p.machine.load; });
  add_processors(report, reading, "dofad_processor_others_load_ratio", "Load without dofad.",
                 [](const ProcessorStatus& p) { return p.machine.others_load; });
  add_processors(report, reading, "dofad_processor_temperature_celsius", "Temperature.",
                 [](const ProcessorStatus& p) { return p.machine.temperature_celsius; });
  add_processors(report, reading, "dofad_processor_frequency_hertz", "Clock.", [](const ProcessorStatus& p) {
    return p.machine.frequency_mhz ? std::optional(*p.machine.frequency_mhz * 1e6) : std::nullopt;
  });
  add_processors(report, reading, "dofad_processor_power_watts", "What the board draws.",
                 [](const ProcessorStatus& p) { return p.machine.power_watts; });
}

/// A gauge over all levels of all families; NaN is left out.
template <class Value>
void add_levels(Report& report, const Reading& reading, const char* name, const char* help, Value value) {
  Metric metric = report.gauge(name, help);
  for (const FamilyReading& family : reading.families) {
    for (const LevelReading& level : family.levels) {
      const double number = value(level);
      if (std::isnan(number)) continue;
      metric.add(number,
                 {{"family", family.name}, {"level", std::to_string(level.level)}, {"subnet", level.name}});
    }
  }
}

void add_families(Report& report, const Reading& reading) {
  {
    Metric metric =
        report.gauge("dofad_family_resident_bytes", "Memory that all levels of the family share.");
    for (const FamilyReading& family : reading.families) {
      metric.add(static_cast<double>(family.resident_bytes), {{"family", family.name}});
    }
  }
  {
    Metric metric = report.gauge("dofad_family_profile_provisional", "1 until measured on a quiet machine.");
    for (const FamilyReading& family : reading.families) {
      for (const auto& [processor, provisional] : family.provisional)
        metric.add(provisional ? 1 : 0, {{"family", family.name}, {"processor", processor}});
    }
  }
  {
    Metric metric = report.gauge("dofad_level_latency_seconds", "Profiled inference time.");
    for (const FamilyReading& family : reading.families) {
      for (const LevelReading& level : family.levels) {
        for (const auto& [processor, us] : level.latency_us)
          metric.add(us * kSecondsPerUs, {{"family", family.name},
                                          {"level", std::to_string(level.level)},
                                          {"subnet", level.name},
                                          {"processor", processor}});
      }
    }
  }
  add_levels(report, reading, "dofad_level_accuracy_ratio", "Measured top-1 accuracy.",
             [](const LevelReading& level) { return level.accuracy; });
}

template <class Value>
void fill(Metric& metric, const Reading& reading, Value value) {
  for (const SessionReading& session : reading.sessions) {
    metric.add(value(session), {{"session", std::to_string(session.id)},
                                {"application", session.application},
                                {"family", session.family}});
  }
}

void add_sessions(Report& report, const Reading& reading) {
  const auto counter = [&](const char* name, const char* help, std::uint64_t SessionReading::*member) {
    Metric metric = report.counter(name, help);
    fill(metric, reading,
         [&](const SessionReading& session) { return std::optional(static_cast<double>(session.*member)); });
  };
  counter("dofad_session_frames_total", "Frames submitted.", &SessionReading::frames);
  counter("dofad_session_missed_deadlines_total", "Frames answered late, dropped or refused.",
          &SessionReading::missed);
  counter("dofad_session_dropped_total", "Frames never run.", &SessionReading::dropped);
  counter("dofad_session_dips_total", "Frames run below the planned level.", &SessionReading::dips);
  counter("dofad_session_switches_total", "Changes of the planned level.", &SessionReading::switches);
  const auto gauge = [&](const char* name, const char* help, auto value) {
    Metric metric = report.gauge(name, help);
    fill(metric, reading, value);
  };
  using Optional = std::optional<double>;
  gauge("dofad_session_level", "Level that the next frame is expected to use, 0 = fastest.",
        [](const SessionReading& s) { return Optional(s.level); });
  gauge("dofad_session_attainment_ratio", "Frames answered in time over frames submitted.",
        [](const SessionReading& s) { return s.frames > 0 ? Optional(s.attainment) : std::nullopt; });
  gauge("dofad_session_expected_latency_seconds", "Predicted inference time of the next frame.",
        [](const SessionReading& s) {
          return s.expected_latency_us > 0
                     ? Optional(static_cast<double>(s.expected_latency_us) * kSecondsPerUs)
                     : std::nullopt;
        });
  gauge("dofad_session_queue_p95_seconds", "95th percentile of waiting.", [](const SessionReading& s) {
    return s.frames > 0 ? Optional(s.queue_p95_us * kSecondsPerUs) : std::nullopt;
  });
  gauge("dofad_session_service_p95_seconds", "95th percentile of preprocessing and inference.",
        [](const SessionReading& s) {
          return s.frames > 0 ? Optional(s.service_p95_us * kSecondsPerUs) : std::nullopt;
        });
  gauge("dofad_session_latency_budget_seconds", "The contract's latency budget.",
        [](const SessionReading& s) {
          return s.contract.latency_budget_us
                     ? Optional(static_cast<double>(*s.contract.latency_budget_us) * kSecondsPerUs)
                     : std::nullopt;
        });
  gauge("dofad_session_min_accuracy_ratio", "The contract's accuracy floor.", [](const SessionReading& s) {
    return s.contract.min_accuracy > 0 ? Optional(s.contract.min_accuracy) : std::nullopt;
  });
}

SessionReading read(const control::Session& session) {
  const policy::SessionStats stats = session.stats();
  SessionReading reading;
  reading.id = session.identity().id;
  reading.application = session.identity().application;
  reading.family = session.family().name;
  reading.level = session.level();
  reading.expected_latency_us = session.expected_latency_us();
  reading.contract = session.contract();
  reading.frames = stats.frames();
  reading.missed = stats.missed();
  reading.dropped = stats.drops();
  reading.dips = stats.dips();
  reading.switches = stats.switches();
  reading.attainment = stats.attainment();
  reading.queue_p95_us = stats.queue_us().quantile(0.95);
  reading.service_p95_us = stats.service_us().quantile(0.95);
  return reading;
}

FamilyReading read(const control::LoadedFamily& family) {
  FamilyReading reading{family.name, family.family->resident_bytes(), {}, {}};
  const auto profile = family.profile();
  for (std::uint32_t p = 0; p < family.processors.size(); ++p) {
    if (family.runs_on(p)) reading.provisional.emplace_back(family.processors[p], family.provisional(p));
  }
  for (const engine::LevelInfo& level : family.family->levels()) {
    const auto index = static_cast<std::uint32_t>(reading.levels.size());
    LevelReading& added = reading.levels.emplace_back();
    added.name = level.name;
    added.level = index;
    added.accuracy = level.accuracy ? level.accuracy->top1 : std::numeric_limits<double>::quiet_NaN();
    for (std::uint32_t p = 0; p < family.processors.size(); ++p) {
      const double us = profile->levels[index].time_us[p];
      if (us > 0) added.latency_us.emplace_back(family.processors[p], us);
    }
  }
  return reading;
}

}  // namespace

Reading gather(const control::Runtime& runtime, const std::string& version) {
  Reading reading;
  reading.version = version;
  reading.totals = runtime.totals();
  reading.processors = runtime.processors();
  for (const auto& family : runtime.families()) reading.families.push_back(read(*family));
  for (const auto& session : runtime.sessions()) reading.sessions.push_back(read(*session));
  return reading;
}

std::string to_text(const Reading& reading) {
  Report report;
  add_totals(report, reading);
  add_processors(report, reading);
  add_families(report, reading);
  add_sessions(report, reading);
  return report.text();
}

}  // namespace dofa::metrics

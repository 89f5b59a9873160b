// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor/thermal_probe.hpp"

#include <algorithm>
#include <array>

namespace dofa::monitor {
namespace {

// hwmon drivers of x86 CPUs; other boards' CPU sensors are thermal zones already.
constexpr std::array<std::string_view, 3> kCpuSensors = {"coretemp", "k10temp", "zenpower"};
constexpr int kMostTripPoints = 16;
constexpr int kMostInputs = 8;  // per-core inputs of coretemp follow behind the package's: not wanted

// Lowest trip point of that type; 0 and below mean "not set".
std::optional<float> lowest_trip(const std::string& zone_directory, std::string_view type) {
  std::optional<float> lowest;
  for (int i = 0; i < kMostTripPoints; ++i) {
    const std::string trip = zone_directory + "/trip_point_" + std::to_string(i);
    const auto trip_type = read_text(trip + "_type");
    if (!trip_type) break;
    const auto celsius = plausible_celsius(read_integer(trip + "_temp"));
    if (*trip_type != type || !celsius || *celsius <= 0) continue;
    lowest = std::min(lowest.value_or(*celsius), *celsius);
  }
  return lowest;
}

bool of_whole_cpu(std::string_view label) {
  return label.empty() || label == "Tctl" || label == "Tdie" || label.starts_with("Package id") ||
         label.starts_with("Physical id");
}

}  // namespace

std::optional<float> plausible_celsius(std::optional<std::int64_t> millidegrees) {
  constexpr std::int64_t kColdest = -100'000;
  constexpr std::int64_t kHottest = 250'000;
  if (!millidegrees || *millidegrees < kColdest || *millidegrees > kHottest) return std::nullopt;
  return static_cast<float>(*millidegrees) / 1000;
}

ThermalProbe::ThermalProbe(const std::string& root) : class_directory_(root + "/sys/class") {
  rescan();
}

void ThermalProbe::rescan() {
  sensors_.clear();
  scan_zones();
  scan_hwmon();
}

void ThermalProbe::scan_zones() {
  for (const std::string& name : list_directory(class_directory_ + "/thermal")) {
    if (!name.starts_with("thermal_zone") || sensors_.size() == kMaxZones) continue;
    const std::string directory = class_directory_ + "/thermal/" + name;
    ThermalZone zone;
    zone.name = read_text(directory + "/type").value_or(name);
    zone.passive_c = lowest_trip(directory, "passive");
    zone.critical_c = lowest_trip(directory, "critical");
    sensors_.push_back({zone, SysFile(directory + "/temp")});
  }
}

void ThermalProbe::scan_hwmon() {
  for (const std::string& chip : list_directory(class_directory_ + "/hwmon")) {
    const std::string directory = class_directory_ + "/hwmon/" + chip;
    const std::string driver = read_text(directory + "/name").value_or("");
    if (std::find(kCpuSensors.begin(), kCpuSensors.end(), driver) == kCpuSensors.end()) continue;
    for (int i = 1; i <= kMostInputs && sensors_.size() < kMaxZones; ++i) {
      const std::string input = directory + "/temp" + std::to_string(i);
      const std::string label = read_text(input + "_label").value_or("");
      if (!of_whole_cpu(label) || !read_integer(input + "_input")) continue;
      ThermalZone zone;
      zone.name = label.empty() ? driver : driver + " " + label;
      zone.critical_c = plausible_celsius(read_integer(input + "_crit"));
      sensors_.push_back({zone, SysFile(input + "_input")});
    }
  }
}

std::optional<ThermalZones> ThermalProbe::sample() {
  ThermalZones zones;
  for (Sensor& sensor : sensors_) {
    const auto celsius = plausible_celsius(sensor.temperature.read_integer());
    if (!celsius) continue;
    sensor.zone.celsius = *celsius;
    zones.push_back(sensor.zone);
  }
  return zones.empty() ? std::nullopt : std::optional(zones);
}

}  // namespace dofa::monitor

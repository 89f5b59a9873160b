// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor/power_probe.hpp"

#include <cstdlib>

namespace dofa::monitor {
namespace {

constexpr double kMicro = 1e-3;  // microwatts in milliwatts
// mV · mA = µW. Doubles: garbage in a file must not overflow.
double milliwatts(std::int64_t millivolts, std::int64_t milliamperes) {
  return static_cast<double>(millivolts) * static_cast<double>(milliamperes) * kMicro;
}

// Rails that end nowhere, and channels that are sums of others.
bool is_real_rail(std::string_view label) {
  return label != "NC" && !label.starts_with("sum of");
}

}  // namespace

std::optional<std::int64_t> energy_used_uj(std::int64_t before_uj, std::int64_t after_uj,
                                           std::int64_t range_uj) {
  if (before_uj < 0 || after_uj < 0) return std::nullopt;
  if (after_uj >= before_uj) return after_uj - before_uj;
  if (range_uj <= before_uj) return std::nullopt;
  return (range_uj - before_uj) + after_uj;
}

RaplProbe::RaplProbe(const std::string& root) : directory_(root + "/sys/class/powercap") {
  rescan();
}

void RaplProbe::rescan() {
  const std::vector<std::string> entries = list_directory(directory_);
  if (entries == entries_) return;  // keep the counters: a new start would cost a period
  entries_ = entries;
  domains_.clear();
  for (const std::string& entry : entries) {
    if (entry.find(':') == std::string::npos || domains_.size() == kMaxRails)
      continue;                                          // a control type, no domain
    if (entry.starts_with("intel-rapl-mmio")) continue;  // the same package once more, through another window
    const std::string domain = directory_ + "/" + entry;
    domains_.push_back({read_text(domain + "/name").value_or(entry),
                        read_integer(domain + "/max_energy_range_uj").value_or(0),
                        SysFile(domain + "/energy_uj"), std::nullopt});
  }
}

std::optional<PowerRails> RaplProbe::sample(std::int64_t now_us) {
  PowerRails rails;
  for (Domain& domain : domains_) {
    const auto energy_uj = domain.energy.read_integer();
    if (energy_uj && domain.last_uj && now_us > last_us_) {
      if (const auto used_uj = energy_used_uj(*domain.last_uj, *energy_uj, domain.range_uj)) {
        rails.push_back(
            {domain.name, 1000.0 * static_cast<double>(*used_uj) / static_cast<double>(now_us - last_us_)});
      }
    }
    domain.last_uj = energy_uj;
  }
  last_us_ = now_us;
  return rails.empty() ? std::nullopt : std::optional(rails);
}

RailsProbe::RailsProbe(std::string root) : root_(std::move(root)) {
  rescan();
}

void RailsProbe::rescan() {
  rails_.clear();
  const std::string hwmon = root_ + "/sys/class/hwmon/";
  for (const std::string& chip : list_directory(hwmon)) {
    if (read_text(hwmon + chip + "/name").value_or("").starts_with("ina")) scan_hwmon(hwmon + chip);
  }
  const std::string iio = root_ + "/sys/bus/i2c/drivers/ina3221x/";
  for (const std::string& device : list_directory(iio)) {
    for (const std::string& entry : list_directory(iio + device)) {
      if (entry.starts_with("iio:device")) scan_iio(iio + device + "/" + entry);
    }
  }
}

// in1_label, in1_input (mV), curr1_input (mA); chips with a power register add power1_input (µW).
void RailsProbe::scan_hwmon(const std::string& directory) {
  constexpr int kChannels = 3;
  for (int i = 1; i <= kChannels && rails_.size() < kMaxRails; ++i) {
    const std::string number = std::to_string(i);
    const std::string chip = directory.substr(directory.rfind('/') + 1);
    const std::string label = read_text(directory + "/in" + number + "_label").value_or(chip + "." + number);
    if (!is_real_rail(label)) continue;
    SysFile power(directory + "/power" + number + "_input");
    SysFile current(directory + "/curr" + number + "_input");
    if (power.read_integer()) {
      rails_.push_back({label, kMicro, std::move(power), std::nullopt});
    } else if (current.read_integer()) {
      rails_.push_back({label, kMicro, std::move(current), SysFile(directory + "/in" + number + "_input")});
    }
  }
}

// rail_name_0, in_power0_input (mW): L4T up to R32.
void RailsProbe::scan_iio(const std::string& directory) {
  constexpr int kChannels = 3;
  for (int i = 0; i < kChannels && rails_.size() < kMaxRails; ++i) {
    const std::string number = std::to_string(i);
    const auto label = read_text(directory + "/rail_name_" + number);
    if (!label || !is_real_rail(*label)) continue;
    rails_.push_back({*label, 1, SysFile(directory + "/in_power" + number + "_input"), std::nullopt});
  }
}

std::optional<PowerRails> RailsProbe::sample() {
  PowerRails rails;
  for (Rail& rail : rails_) {
    const auto value = rail.power_or_current.read_integer();
    if (!value) continue;
    if (!rail.voltage) {
      rails.push_back({rail.name, static_cast<double>(*value) * rail.scale});
    } else if (const auto millivolts = rail.voltage->read_integer()) {
      rails.push_back({rail.name, milliwatts(*millivolts, *value)});
    }
  }
  return rails.empty() ? std::nullopt : std::optional(rails);
}

std::optional<PowerSupply> PowerSupplyProbe::sample() {
  PowerSupply supply;
  double percent_sum = 0;
  int batteries = 0;
  // Read afresh each time: chargers and batteries are plugged in and out, and there are one or two.
  for (const std::string& name : list_directory(directory_)) {
    const std::string device = directory_ + "/" + name + "/";
    const std::string type = read_text(device + "type").value_or("");
    if (type == "Mains" || type.starts_with("USB")) {
      if (const auto online = read_integer(device + "online")) {
        supply.mains_online = supply.mains_online.value_or(false) || *online > 0;
      }
    }
    if (type != "Battery" || read_text(device + "scope").value_or("") == "Device")
      continue;  // a mouse's battery
    if (const auto percent = read_integer(device + "capacity"); percent && *percent >= 0 && *percent <= 100) {
      percent_sum += static_cast<double>(*percent);
      supply.battery_percent = percent_sum / ++batteries;
    }
    std::optional<double> power_mw;
    if (const auto microwatts = read_integer(device + "power_now")) {
      power_mw = std::abs(static_cast<double>(*microwatts)) * kMicro;
    } else {
      const auto microvolts = read_integer(device + "voltage_now");
      const auto microamperes = read_integer(device + "current_now");
      if (microvolts && microamperes)
        power_mw = std::abs(milliwatts(*microvolts / 1000, *microamperes / 1000));
    }
    // Drivers disagree on the sign; the status says which way it flows.
    const std::string status = read_text(device + "status").value_or("");
    if (power_mw && (status == "Charging" || status == "Discharging")) {
      supply.battery_mw = supply.battery_mw.value_or(0) + (status == "Charging" ? -*power_mw : *power_mw);
    }
  }
  if (!supply.mains_online && !supply.battery_percent && !supply.battery_mw) return std::nullopt;
  return supply;
}

}  // namespace dofa::monitor

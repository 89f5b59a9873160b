// SPDX-License-Identifier: Apache-2.0
// What one line of NVIDIA's tegrastats says. The program differs by board and release (JetPack 3 to 7): every
// field is optional, fields come in any order, and unknown words are skipped. Pure functions over plain
// values; this file and its source need nothing but the standard library, so that tools can use them alone.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/monitor/bounded.hpp"

namespace dofa::monitor {

/// `RAM 534/3964MB (lfb 98x4MB)`, `SWAP 5/1982MB (cached 1MB)`, `IRAM 0/252kB(lfb 252kB)`.
struct TegrastatsMemory {
  double used_mb = 0;
  double total_mb = 0;
  std::optional<double> largest_free_blocks;  ///< how many blocks of the largest free size there are
  std::optional<double> largest_free_block_mb;
  std::optional<double> cached_mb;
};

struct TegrastatsCore {
  bool online = false;  ///< false where the line says `off`
  std::optional<double> load_percent;
  std::optional<double> frequency_mhz;
};

/// A hardware engine, in any of the forms `off`, `115`, `36%`, `@1691`, `2%@204`, `0%@[305,305]`, `@[0,0,0]`.
struct TegrastatsEngine {
  Name name;  ///< without `_FREQ` or `_LOAD`
  bool on = true;
  std::optional<double> load_percent;
  BoundedList<double, 8> frequencies_mhz;  ///< one for each part that has a clock of its own (GPCs)

  /// The fastest part's clock.
  [[nodiscard]] std::optional<double> frequency_mhz() const;
};

/// `CPU@45.5C`, `gpu@43.5C/50C`.
struct TegrastatsTemperature {
  Name name;
  std::optional<double> celsius;  ///< none where the sensor is powered down (`-256C`)
  std::optional<double>
      maximum_c;  ///< the second value: a limit, or the highest seen so far; releases differ
};

/// `VDD_IN 4067/4067`, `VDD_IN 2763mW/2846mW`, `VIN 28906mW/14453mW/28906mW`, `VDD_IN 5765mW`.
struct TegrastatsRail {
  Name name;  ///< not unique: boards print several `NC`
  double now_mw = 0;
  std::optional<double> average_mw;
  std::optional<double> peak_mw;
};

struct TegrastatsLine {
  Name timestamp;  ///< as printed (local time of the board); empty before JetPack 5
  std::optional<TegrastatsMemory> ram;
  std::optional<TegrastatsMemory> swap;
  std::optional<TegrastatsMemory> iram;
  BoundedList<TegrastatsCore, 64> cores;
  std::optional<TegrastatsEngine> emc;  ///< external memory controller
  std::optional<TegrastatsEngine> gpu;  ///< GR3D
  BoundedList<TegrastatsEngine, 24> engines;
  std::optional<double> mts_foreground_percent;  ///< Denver cores' code translation
  std::optional<double> mts_background_percent;
  BoundedList<TegrastatsTemperature, 32> temperatures;
  BoundedList<TegrastatsRail, 32> rails;

  /// Nothing in the line was understood.
  [[nodiscard]] bool empty() const;
};

/// Reads one line (without its newline). Never fails: what makes no sense is left out, also a list whose end
/// is cut off.
[[nodiscard]] TegrastatsLine parse_tegrastats(std::string_view line);

/// One JSON object on one line; absent fields are left out. Repeated names get `#2`, `#3`, …
[[nodiscard]] std::string tegrastats_json(const TegrastatsLine& line);

/// Every line of a log as one JSON object a line.
void print_tegrastats_json(std::istream& log, std::ostream& out);

}  // namespace dofa::monitor

// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor/tegrastats.hpp"

#include <algorithm>
#include <array>

#include "daemon/monitor/text.hpp"

namespace dofa::monitor {
namespace {

// Engines are told from rails and unknown words by how their names begin.
constexpr std::array<std::string_view, 17> kEngineNames = {"EMC",   "GR3D",  "VIC",   "APE", "NVENC", "MSENC",
                                                           "NVDEC", "NVJPG", "NVDLA", "DLA", "PVA",   "OFA",
                                                           "ISP",   "NVCSI", "VDE",   "AVP", "AXI"};
constexpr double kPoweredDownC = -200;  // tegrastats prints -256C for a sensor without power

bool is_name_char(char c) {
  return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.';
}

bool is_engine(std::string_view name) {
  return std::any_of(kEngineNames.begin(), kEngineNames.end(),
                     [&](std::string_view engine) { return name.starts_with(engine); });
}

std::string_view without_suffix(std::string_view name) {
  for (const std::string_view suffix : {"_FREQ", "_LOAD", "_UTIL"}) {
    if (name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  }
  return name;
}

// A unit belongs to the number before it, with or without a blank between them.
bool eat_unit(Scanner& scan, std::string_view unit) {
  Scanner trial = scan;
  trial.skip_blanks();
  if (!trial.eat(unit) || is_name_char(trial.peek())) return false;
  scan = trial;
  return true;
}

std::optional<double> percentage(Scanner& scan) {
  Scanner trial = scan;
  const auto value = trial.decimal();
  if (!value || !trial.eat("%")) return std::nullopt;
  scan = trial;
  return *value >= 0 && *value <= 100 ? value : std::nullopt;
}

// `534MB`, `252kB`, `2GB` in megabytes; a bare number is taken for megabytes.
std::optional<double> size_mb(Scanner& scan, double* scale = nullptr) {
  const auto value = scan.decimal();
  double factor = 1;
  if (scan.eat("kB") || scan.eat("KB")) {
    factor = 1.0 / 1024;
  } else if (scan.eat("GB")) {
    factor = 1024;
  } else {
    (void)scan.eat("MB");
  }
  if (scale != nullptr) *scale = factor;
  if (!value || *value < 0) return std::nullopt;
  return *value * factor;
}

// After the word RAM, SWAP or IRAM.
std::optional<TegrastatsMemory> parse_memory(Scanner& scan) {
  Scanner trial = scan;
  trial.skip_blanks();
  const auto used = trial.decimal();
  if (!used || *used < 0 || !trial.eat("/")) return std::nullopt;
  double scale = 1;
  const auto total = size_mb(trial, &scale);
  if (!total || !(trial.at_word_end() || trial.peek() == '(')) return std::nullopt;
  TegrastatsMemory memory;
  memory.used_mb = *used * scale;
  memory.total_mb = *total;
  scan = trial;

  // The detail in parentheses counts only where it is closed: a cut line must not give a cut number.
  TegrastatsMemory detailed = memory;
  trial.skip_blanks();
  if (!trial.eat("(")) return memory;
  trial.skip_blanks();
  if (trial.eat("lfb")) {
    trial.skip_blanks();
    Scanner blocks = trial;
    if (const auto count = blocks.unsigned_number(); count && blocks.eat("x")) {
      detailed.largest_free_blocks = static_cast<double>(*count);
      trial = blocks;
    }
    detailed.largest_free_block_mb = size_mb(trial);
  } else if (trial.eat("cached")) {
    trial.skip_blanks();
    detailed.cached_mb = size_mb(trial);
  }
  trial.skip_blanks();
  if (!trial.eat(")")) return memory;
  scan = trial;
  return detailed;
}

// `[1%@102,off,3%]` or, before JetPack 3.1, `[17%,off,29%,5%]@408`.
bool parse_cores(Scanner& scan, TegrastatsLine& out) {
  const std::size_t end = scan.rest().find(']');
  if (end == std::string_view::npos || scan.rest().find('[', 1) < end)
    return false;  // cut, or two lines run together
  Scanner list(scan.rest().substr(1, end - 1));
  scan.skip(end + 1);
  out.cores.clear();
  do {
    TegrastatsCore core;
    list.skip_blanks();
    if (!list.eat("off")) {
      core.online = true;
      core.load_percent = percentage(list);
      if (list.eat("@")) core.frequency_mhz = list.decimal();
      if (core.frequency_mhz && *core.frequency_mhz < 0) core.frequency_mhz.reset();
    }
    list.take_while([](char c) { return c != ','; });
    out.cores.push_back(core);
  } while (list.eat(","));
  if (scan.eat("@")) {
    const auto shared_mhz = scan.decimal();
    for (TegrastatsCore& core : out.cores) {
      if (core.online && shared_mhz && *shared_mhz >= 0) core.frequency_mhz = shared_mhz;
    }
  }
  return true;
}

void parse_frequencies(Scanner& scan, TegrastatsEngine& engine) {
  const bool several = scan.eat("[");
  do {
    if (several) scan.skip_blanks();
    if (const auto mhz = scan.decimal(); mhz && *mhz >= 0) engine.frequencies_mhz.push_back(*mhz);
    if (several) scan.take_while([](char c) { return c != ',' && c != ']'; });
  } while (several && scan.eat(","));
  if (several && !scan.eat("]"))
    engine.frequencies_mhz.clear();  // the line was cut here: the last number may be, too
}

std::optional<TegrastatsEngine> parse_engine(std::string_view name, Scanner& scan) {
  Scanner trial = scan;
  trial.skip_blanks();
  TegrastatsEngine engine;
  engine.name = without_suffix(name);
  if (trial.eat("off")) {
    engine.on = false;
  } else {
    const Scanner before = trial;
    engine.load_percent = percentage(trial);
    const bool had_load = trial.rest().size() != before.rest().size();
    if (trial.eat("@")) {
      parse_frequencies(trial, engine);
    } else if (!had_load) {
      const auto mhz = trial.decimal();
      if (!mhz || *mhz < 0) return std::nullopt;
      engine.frequencies_mhz.push_back(*mhz);
    }
  }
  if (!trial.at_word_end()) return std::nullopt;
  scan = trial;
  return engine;
}

// A load and a frequency may come apart (`VIC_LOAD 5% VIC_FREQ @115`): join them under the one name.
void merge(TegrastatsEngine& known, const TegrastatsEngine& news) {
  known.on = news.on;
  if (news.load_percent) known.load_percent = news.load_percent;
  if (!news.frequencies_mhz.empty()) known.frequencies_mhz = news.frequencies_mhz;
}

void add_engine(TegrastatsLine& out, const TegrastatsEngine& engine) {
  const auto into = [&](std::optional<TegrastatsEngine>& place) {
    place ? merge(*place, engine) : void(place = engine);
  };
  if (engine.name == Name("EMC")) return into(out.emc);
  if (engine.name == Name("GR3D")) return into(out.gpu);
  const auto known = std::find_if(out.engines.begin(), out.engines.end(),
                                  [&](const TegrastatsEngine& other) { return other.name == engine.name; });
  if (known != out.engines.end()) return merge(*known, engine);
  out.engines.push_back(engine);
}

// After `NAME@`.
std::optional<TegrastatsTemperature> parse_temperature(std::string_view name, Scanner& scan) {
  Scanner trial = scan;
  const auto celsius = trial.decimal();
  if (!celsius || !eat_unit(trial, "C")) return std::nullopt;
  TegrastatsTemperature temperature;
  temperature.name = name;
  if (*celsius > kPoweredDownC) temperature.celsius = celsius;
  if (trial.eat("/")) {
    const auto maximum = trial.decimal();
    if (maximum && eat_unit(trial, "C") && *maximum > kPoweredDownC) temperature.maximum_c = maximum;
  }
  if (!trial.at_word_end()) return std::nullopt;
  scan = trial;
  return temperature;
}

// One to three powers after a rail's name; false where the words there are something else.
bool parse_rail(std::string_view name, Scanner& scan, TegrastatsLine& out) {
  Scanner trial = scan;
  trial.skip_blanks();
  std::array<double, 3> milliwatts{};
  std::size_t count = 0;
  bool any_unit = false;
  do {
    const auto value = trial.decimal();
    if (!value || count == milliwatts.size()) return false;
    const bool watts = eat_unit(trial, "W");
    any_unit = eat_unit(trial, "mW") || watts || any_unit;
    milliwatts[count++] = watts ? *value * 1000 : *value;
  } while (trial.eat("/"));
  if (!trial.at_word_end()) return false;
  // Without a unit only the `a/b` of JetPack 3 and 4 is a power, and its rails have upper-case names.
  const bool upper =
      std::none_of(name.begin(), name.end(), [](char c) { return is_letter(c) && !is_upper(c); });
  if (!any_unit && (count < 2 || !upper)) return false;
  TegrastatsRail rail;
  rail.name = name;
  rail.now_mw = milliwatts[0];
  if (count > 1) rail.average_mw = milliwatts[1];
  if (count > 2) rail.peak_mw = milliwatts[2];
  out.rails.push_back(rail);
  scan = trial;
  return true;
}

// `fg 0% bg 0%` after MTS.
void parse_mts(Scanner& scan, TegrastatsLine& out) {
  scan.skip_blanks();
  Scanner trial = scan;
  if (!trial.eat("fg")) return;
  trial.skip_blanks();
  out.mts_foreground_percent = percentage(trial);
  trial.skip_blanks();
  if (trial.eat("bg")) {
    trial.skip_blanks();
    out.mts_background_percent = percentage(trial);
  }
  scan = trial;
}

// `07-09-2024 13:31:31` at the start of the line. With any other blank than the one space it is not
// tegrastats' own, and a tab or carriage return would break out of a JSON string.
void parse_timestamp(Scanner& scan, TegrastatsLine& out) {
  Scanner trial = scan;
  const auto of_digits_and = [&](char separator) {
    const std::string_view word = trial.word();
    const auto separators = std::count(word.begin(), word.end(), separator);
    const bool clean =
        std::all_of(word.begin(), word.end(), [&](char c) { return is_digit(c) || c == separator; });
    return clean && separators == 2;
  };
  if (!of_digits_and('-') || !trial.eat(" ") || !of_digits_and(':')) return;
  out.timestamp = scan.rest().substr(0, scan.rest().size() - trial.rest().size());
  scan = trial;
}

// At a name: reads what belongs to it. Where nothing fits only the name is consumed.
void parse_named(std::string_view name, Scanner& scan, TegrastatsLine& out) {
  if (scan.peek() == '@') {
    Scanner trial = scan;
    trial.skip(1);
    if (const auto temperature = parse_temperature(name, trial)) {
      out.temperatures.push_back(*temperature);
      scan = trial;
    }
    return;
  }
  if (!scan.at_word_end()) return;
  const auto memory = [&](std::optional<TegrastatsMemory>& place) {
    if (const auto parsed = parse_memory(scan)) place = parsed;
  };
  if (name == "RAM") return memory(out.ram);
  if (name == "SWAP") return memory(out.swap);
  if (name == "IRAM") return memory(out.iram);
  if (name == "MTS") return parse_mts(scan, out);
  if (name == "CPU" || name == "cpu") {
    Scanner trial = scan;
    trial.skip_blanks();
    if (trial.peek() == '[') {
      if (parse_cores(trial, out)) scan = trial;
      return;
    }
  }
  if (is_engine(name)) {
    if (const auto engine = parse_engine(name, scan)) return add_engine(out, *engine);
  }
  (void)parse_rail(name, scan, out);
}

}  // namespace

std::optional<double> TegrastatsEngine::frequency_mhz() const {
  if (frequencies_mhz.empty()) return std::nullopt;
  return *std::max_element(frequencies_mhz.begin(), frequencies_mhz.end());
}

bool TegrastatsLine::empty() const {
  return !ram && !swap && !iram && cores.empty() && !emc && !gpu && engines.empty() &&
         !mts_foreground_percent && temperatures.empty() && rails.empty();
}

TegrastatsLine parse_tegrastats(std::string_view line) {
  TegrastatsLine out;
  Scanner scan(line);
  scan.skip_blanks();
  if (scan.peek() == '#') return out;  // a remark in a recorded log
  parse_timestamp(scan, out);
  while (true) {
    scan.skip_blanks();
    if (scan.done()) return out;
    if (is_letter(scan.peek())) {
      const std::string_view name = scan.take_while(is_name_char);
      parse_named(name, scan, out);
    }
    scan.take_while(
        [](char c) { return !is_blank(c); });  // whatever is left of a word that was not understood
  }
}

}  // namespace dofa::monitor

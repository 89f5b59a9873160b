// SPDX-License-Identifier: Apache-2.0
// The lines are written for these tests after the grammar; those under DOFA_SHARED are real ones of eight
// boards.
#include "daemon/monitor/tegrastats.hpp"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "tests/support/catch.hpp"

using namespace dofa::monitor;

namespace {

const TegrastatsTemperature* temperature(const TegrastatsLine& line, std::string_view name) {
  for (const auto& entry : line.temperatures) {
    if (entry.name.view() == name) return &entry;
  }
  return nullptr;
}
const TegrastatsRail* rail(const TegrastatsLine& line, std::string_view name) {
  for (const auto& entry : line.rails) {
    if (entry.name.view() == name) return &entry;
  }
  return nullptr;
}
const TegrastatsEngine* engine(const TegrastatsLine& line, std::string_view name) {
  for (const auto& entry : line.engines) {
    if (entry.name.view() == name) return &entry;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("a line of JetPack 4 is understood word by word") {
  const TegrastatsLine line = parse_tegrastats(
      "RAM 700/3900MB (lfb 90x4MB) SWAP 6/1900MB (cached 2MB) IRAM 1/252kB(lfb 251kB) "
      "CPU [10%@204,off,0%@1479,7%@204] EMC_FREQ 3%@1600 GR3D_FREQ 41%@921 APE 25 MTS fg 1% bg 2% PLL@34C "
      "CPU@36.5C "
      "PMIC@100C GPU@-256C thermal@36.25C POM_5V_IN 1022/1100 GPU 10/20 CPU 30/40");
  REQUIRE(line.ram);
  CHECK(line.ram->used_mb == 700);
  CHECK(line.ram->total_mb == 3900);
  CHECK(line.ram->largest_free_blocks == 90.0);
  CHECK(line.ram->largest_free_block_mb == 4.0);
  REQUIRE(line.swap);
  CHECK(line.swap->cached_mb == 2.0);
  REQUIRE(line.iram);
  CHECK(line.iram->total_mb * 1024 == 252);
  CHECK(*line.iram->largest_free_block_mb * 1024 == 251);
  REQUIRE(line.cores.size() == 4);
  CHECK(line.cores[0].load_percent == 10.0);
  CHECK(line.cores[0].frequency_mhz == 204.0);
  CHECK_FALSE(line.cores[1].online);
  CHECK_FALSE(line.cores[1].load_percent);
  CHECK(line.cores[2].frequency_mhz == 1479.0);
  REQUIRE(line.emc);
  CHECK(line.emc->load_percent == 3.0);
  REQUIRE(line.gpu);
  CHECK(line.gpu->load_percent == 41.0);
  CHECK(line.gpu->frequency_mhz() == 921.0);
  REQUIRE(engine(line, "APE") != nullptr);
  CHECK(engine(line, "APE")->frequency_mhz() == 25.0);
  CHECK(line.mts_foreground_percent == 1.0);
  CHECK(line.mts_background_percent == 2.0);
  REQUIRE(line.temperatures.size() == 5);
  CHECK(temperature(line, "CPU")->celsius == 36.5);
  CHECK_FALSE(temperature(line, "GPU")->celsius);  // powered down
  REQUIRE(line.rails.size() == 3);
  CHECK(rail(line, "POM_5V_IN")->now_mw == 1022);
  CHECK(rail(line, "POM_5V_IN")->average_mw == 1100.0);
  CHECK(rail(line, "GPU")->now_mw == 10);  // the rail, not the temperature
  CHECK(rail(line, "CPU")->average_mw == 40.0);
  CHECK(line.timestamp.empty());
}

TEST_CASE("every form that an engine's value takes") {
  const auto gpu = [](const std::string& value) {
    return parse_tegrastats("GR3D_FREQ " + value + " APE 150").gpu;
  };
  SECTION("load and frequency") {
    CHECK(gpu("62%")->load_percent == 62.0);
    CHECK_FALSE(gpu("62%")->frequency_mhz());
    CHECK(gpu("62%@306")->frequency_mhz() == 306.0);
    CHECK(gpu("0%@[114]")->frequency_mhz() == 114.0);
    CHECK(gpu("@1691")->frequency_mhz() == 1691.0);
    CHECK_FALSE(gpu("@1691")->load_percent);
    CHECK(gpu("930")->frequency_mhz() == 930.0);
  }
  SECTION("several parts with clocks of their own") {
    for (const char* value : {"7%@[305,1300]", "7%@[305, 1300]", "7%@[ 305 ,1300 ]"}) {
      INFO(value);
      REQUIRE(gpu(value));
      CHECK(gpu(value)->load_percent == 7.0);
      REQUIRE(gpu(value)->frequencies_mhz.size() == 2);
      CHECK(gpu(value)->frequencies_mhz[1] == 1300.0);
      CHECK(gpu(value)->frequency_mhz() == 1300.0);
    }
    CHECK(gpu("@[1,2,3]")->frequencies_mhz.size() == 3);
    CHECK(gpu("@[300,off,600]")->frequencies_mhz.size() == 2);
  }
  SECTION("off") {
    REQUIRE(gpu("off"));
    CHECK_FALSE(gpu("off")->on);
    CHECK_FALSE(gpu("off")->load_percent);
  }
  SECTION("nonsense is left out, and what follows is still read") {
    for (const char* value : {"", "x", "%", "101%@", "-5%", "offline", "1.2.3", "nan%", "7%@@9"}) {
      INFO(value);
      const TegrastatsLine line = parse_tegrastats("GR3D_FREQ " + std::string(value) + " APE 150");
      CHECK((!line.gpu || !line.gpu->load_percent));
      CHECK(engine(line, "APE") != nullptr);
    }
  }
}

TEST_CASE("engines: many blanks, suffixes, a second GPU, load and clock apart") {
  const TegrastatsLine line = parse_tegrastats(
      "GR3D_FREQ 0%@611 GR3D2_FREQ 5%@0 VIC_FREQ 115  NVENC      off  NVDEC 716 NVJPG1    12%@166  OFA off "
      "PVA0_FREQ off NVDLA0 @600 VIC_LOAD 9% NVENC0_FREQ @1691 MSENC 998");
  CHECK(engine(line, "GR3D2")->load_percent == 5.0);
  CHECK(engine(line, "VIC")->frequency_mhz() == 115.0);
  CHECK(engine(line, "VIC")->load_percent == 9.0);
  CHECK_FALSE(engine(line, "NVENC")->on);
  CHECK(engine(line, "NVDEC")->frequency_mhz() == 716.0);
  CHECK(engine(line, "NVJPG1")->load_percent == 12.0);
  CHECK_FALSE(engine(line, "PVA0")->on);
  CHECK(engine(line, "NVDLA0")->frequency_mhz() == 600.0);
  CHECK(engine(line, "NVENC0")->frequency_mhz() == 1691.0);
  CHECK(engine(line, "MSENC")->frequency_mhz() == 998.0);
}

TEST_CASE("the words of JetPack 3 and of DRIVE, with one clock behind the list of cores") {
  const TegrastatsLine line = parse_tegrastats(
      "RAM 3468/3983MB (lfb 48x4MB) SWAP 873/8192MB (cached 295MB) cpu [17%,13%,off,5%]@408 EMC 1%@408 APE "
      "25 "
      "GR3D 3%@76 EXT0-local@35.25C");
  REQUIRE(line.cores.size() == 4);
  CHECK(line.cores[1].load_percent == 13.0);
  CHECK(line.cores[3].frequency_mhz == 408.0);
  CHECK_FALSE(line.cores[2].frequency_mhz);
  CHECK(line.emc->frequency_mhz() == 408.0);
  CHECK(line.gpu->load_percent == 3.0);
  CHECK(temperature(line, "EXT0-local")->celsius == 35.25);
}

TEST_CASE("rails: every unit and count, and none made up") {
  const TegrastatsLine line = parse_tegrastats(
      "VDD_IN 2763mW/2846mW VIN 28906mW/14453mW/28907mW VDD_X 1/2/3 mW VDD_Y 5765mW VDD_Z 598mW/599 VDD_W "
      "1.5W/2W "
      "NC 1mW/2mW NC 3mW/4mW VDD_CPU -392mW/10mW");
  CHECK(rail(line, "VDD_IN")->average_mw == 2846.0);
  CHECK_FALSE(rail(line, "VDD_IN")->peak_mw);
  CHECK(rail(line, "VIN")->average_mw == 14453.0);
  CHECK(rail(line, "VIN")->peak_mw == 28907.0);
  CHECK(rail(line, "VDD_X")->peak_mw == 3.0);
  CHECK(rail(line, "VDD_Y")->now_mw == 5765);
  CHECK_FALSE(rail(line, "VDD_Y")->average_mw);
  CHECK(rail(line, "VDD_Z")->average_mw == 599.0);
  CHECK(rail(line, "VDD_W")->now_mw == 1500);
  CHECK(rail(line, "VDD_W")->average_mw == 2000.0);
  CHECK(rail(line, "VDD_CPU")->now_mw == -392);
  CHECK(line.rails.size() == 9);
  // Words that look a little like rails.
  CHECK(parse_tegrastats("JetPack 3/4 EDP limit 0 VDD_A 1/2/3/4mW VDD_B 1/ VDD_C 12MB/13MB Carveout 12/12MB")
            .empty());
}

TEST_CASE("temperatures: limits, blanks before the unit, sensors without power") {
  const TegrastatsLine line =
      parse_tegrastats("gpu@43.5C/50C tj@50 C/99.5 C CV0@-256C soc@-5.5C x@12 y@zC z@1C2 @5C 9a@3C");
  REQUIRE(line.temperatures.size() == 4);
  CHECK(temperature(line, "gpu")->celsius == 43.5);
  CHECK(temperature(line, "gpu")->maximum_c == 50.0);
  CHECK(temperature(line, "tj")->celsius == 50.0);
  CHECK(temperature(line, "tj")->maximum_c == 99.5);
  CHECK_FALSE(temperature(line, "CV0")->celsius);
  CHECK(temperature(line, "soc")->celsius == -5.5);
}

TEST_CASE("fields in another order, dates, and unknown words between them") {
  const TegrastatsLine line = parse_tegrastats(
      "  07-09-2024 13:31:31 FUTURE [1,2] VDD_SOC 650mW/711mW what@ever (x) CPU@46.5C NEW_FREQ 12%@34 "
      "CPU [23%@1397] RAM 3168/6851MB 12 % @ / ] [ (lfb");
  CHECK(line.timestamp.view() == "07-09-2024 13:31:31");
  CHECK(line.ram->used_mb == 3168);
  CHECK_FALSE(line.ram->largest_free_blocks);
  CHECK(line.cores.size() == 1);
  CHECK(rail(line, "VDD_SOC")->now_mw == 650);
  CHECK(temperature(line, "CPU")->celsius == 46.5);
  CHECK(line.engines.empty());
}

TEST_CASE("a date with other blanks than the one space is no timestamp") {
  // They would break out of the JSON string: control characters need escapes there.
  for (const char* line : {"07-09-2024 \r13:31:31 RAM 1/2MB", "07-09-2024\t13:31:31 RAM 1/2MB",
                           "07-09-2024  13:31:31 RAM 1/2MB", "07-09-2024\n13:31:31 RAM 1/2MB"}) {
    CHECK(tegrastats_json(parse_tegrastats(line)) == R"({"ram":{"used_mb":1,"total_mb":2}})");
  }
}

TEST_CASE("half a line gives no half number where that can be told") {
  const TegrastatsLine cut = parse_tegrastats("RAM 534/3964MB (lfb 98x4MB) CPU [16%@204,9%@20");
  CHECK(cut.ram->largest_free_blocks == 98.0);
  CHECK(cut.cores.empty());
  CHECK_FALSE(parse_tegrastats("RAM 534/3964MB (lfb 9").ram->largest_free_block_mb);
  CHECK(parse_tegrastats("GR3D_FREQ 5%@[305,3").gpu->frequencies_mhz.empty());
  // Two lines run together where a child died and another began.
  const TegrastatsLine glued = parse_tegrastats("CPU [1%@102,4%RAM 534/3964MB CPU [16%@204,9%@204] CPU@40C");
  REQUIRE(glued.cores.size() == 2);
  CHECK(glued.cores[0].load_percent == 16.0);
  CHECK(temperature(glued, "CPU")->celsius == 40.0);
}

TEST_CASE("a line with more of everything than we keep stays bounded") {
  std::string text = "CPU [1%@1";
  for (int i = 0; i < 500; ++i) text += ",1%@1";
  text += "]";
  for (int i = 0; i < 500; ++i) {
    const std::string number = std::to_string(i);
    text += " T" + number + "@40C R" + number + " 1mW/1mW NVENC" + number + " off";
  }
  const TegrastatsLine line = parse_tegrastats(text);
  CHECK(line.cores.size() == line.cores.capacity());
  CHECK(line.temperatures.size() == line.temperatures.capacity());
  CHECK(line.rails.size() == line.rails.capacity());
  CHECK(line.engines.size() == line.engines.capacity());
}

TEST_CASE("a line as JSON: absent fields are left out, repeated names told apart") {
  CHECK(tegrastats_json(parse_tegrastats("# a remark")) == "{}");
  CHECK(
      tegrastats_json(parse_tegrastats("07-09-2024 13:31:31 RAM 31/68MB (lfb 2x4MB) IRAM 0/252kB(lfb 252kB) "
                                       "CPU [23%@1397,off] GR3D_FREQ 0%@[305,306] VIC off GPU@45.5C CV@-256C "
                                       "tj@50C/99C NC 0mW/0mW NC 1mW/2mW/3mW")) ==
      R"({"timestamp":"07-09-2024 13:31:31",)"
      R"("ram":{"used_mb":31,"total_mb":68,"largest_free_blocks":2,"largest_free_block_mb":4},)"
      R"("iram":{"used_kb":0,"total_kb":252,"largest_free_block_kb":252},)"
      R"("cpu":[{"online":true,"load_percent":23,"frequency_mhz":1397},{"online":false}],)"
      R"("gpu":{"on":true,"load_percent":0,"frequency_mhz":306,"frequencies_mhz":[305,306]},)"
      R"("engines":{"VIC":{"on":false}},)"
      R"("temperatures_c":{"GPU":45.5,"CV":null,"tj":50},"temperature_maxima_c":{"tj":99},)"
      R"("rails":{"NC":{"now_mw":0,"average_mw":0},"NC#2":{"now_mw":1,"average_mw":2,"peak_mw":3}}})");
  std::istringstream log("RAM 1/2MB\n\nAPE 150\n");
  std::ostringstream out;
  print_tegrastats_json(log, out);
  CHECK(out.str() ==
        "{\"ram\":{\"used_mb\":1,\"total_mb\":2}}\n{}\n{\"engines\":{\"APE\":{\"on\":true,\"frequency_mhz\":"
        "150}}}\n");
}

TEST_CASE("real lines of eight boards leave nothing out") {
  const char* shared = std::getenv("DOFA_SHARED");
  const std::string folder = shared != nullptr ? shared : DOFA_SOURCE_DIR "/../shared";
  std::ifstream samples(folder + "/reference/tegrastats/samples.txt");
  if (!samples) {
    std::cout << "skipped: no real tegrastats lines below " << folder << '\n';
    return;
  }
  struct Expected {
    std::size_t cores, temperatures, rails, engines;
    double ram_used_mb, gpu_mhz, first_rail_mw;
  };
  // Counted by hand from the file.
  const std::vector<Expected> expected = {{4, 8, 3, 1, 1179, 76, 2532},     {4, 6, 3, 1, 534, 76, 1022},
                                          {8, 8, 6, 1, 721, 318, 0},        {6, 6, 3, 1, 4412, 306, 4067},
                                          {6, 6, 3, 2, 3168, 114, 2763},    {8, 9, 3, 3, 6334, 611, 5299},
                                          {12, 6, 3, 10, 29114, 305, 3205}, {6, 6, 3, 6, 6185, 621, 12479}};
  std::size_t board = 0;
  for (std::string text; std::getline(samples, text);) {
    if (text.starts_with('#')) continue;
    INFO(text);
    REQUIRE(board < expected.size());
    const Expected& want = expected[board++];
    const TegrastatsLine line = parse_tegrastats(text);
    CHECK(line.cores.size() == want.cores);
    CHECK(line.temperatures.size() == want.temperatures);
    CHECK(line.rails.size() == want.rails);
    CHECK(line.engines.size() == want.engines);
    REQUIRE(line.ram);
    CHECK(line.ram->used_mb == want.ram_used_mb);
    REQUIRE(line.gpu);
    CHECK(line.gpu->frequency_mhz() == want.gpu_mhz);
    CHECK(line.emc);
    CHECK(line.rails[0].now_mw == want.first_rail_mw);
  }
  CHECK(board == expected.size());
}

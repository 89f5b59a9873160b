// SPDX-License-Identifier: Apache-2.0
// NVML against a made-up driver, once as a table and once as a library of its own; and how GPUs are joined.
#include "daemon/monitor/nvml.hpp"

#include <string>

#include "daemon/monitor/gpu_merge.hpp"
#include "tests/support/catch.hpp"

using namespace dofa::monitor;

namespace {

// The made-up driver's state; functions in a C table have nowhere else to keep it.
struct Driver {
  int init_result = 0;
  int inits = 0;
  int shutdowns = 0;
  unsigned cards = 2;
  bool answers = true;
  unsigned busy_percent = 80;
  int process_result = 0;
  std::vector<NvmlProcessSample> processes;
} driver;

constexpr int kNotSupported = 3;
constexpr unsigned kOwnPid = 4242;

NvmlApi fake_api() {
  driver = Driver();
  NvmlApi api;
  api.init = [] { return ++driver.inits, driver.init_result; };
  api.shutdown = [] { return ++driver.shutdowns, 0; };
  api.device_count = [](unsigned* count) { return *count = driver.cards, 0; };
  api.device_by_index = [](unsigned index, NvmlApi::Device* device) {
    static int handles[8];
    *device = &handles[index];
    return 0;
  };
  api.pci_info = [](NvmlApi::Device, NvmlPciInfo* pci) {
    pci->domain = 1;
    pci->bus = 0x3b;
    return 0;
  };
  api.utilization = [](NvmlApi::Device, NvmlUtilization* use) {
    *use = {driver.busy_percent, 10};
    return driver.answers ? 0 : 15;
  };
  api.process_utilization = [](NvmlApi::Device, NvmlProcessSample* out, unsigned* count,
                               unsigned long long after) {
    unsigned filled = 0;
    for (const NvmlProcessSample& sample : driver.processes) {
      if (sample.time_us > after && filled < *count) out[filled++] = sample;
    }
    *count = filled;
    if (driver.process_result != 0) return driver.process_result;
    return filled == 0 ? 6 : 0;
  };
  api.temperature = [](NvmlApi::Device, int sensor, unsigned* celsius) {
    *celsius = sensor == 0 ? 61 : 0;
    return driver.answers ? 0 : 15;
  };
  return api;
}

template <class T>
Reading<T> fresh(const T& value, Source source) {
  return {value, 1, source, Validity::kFresh};
}

}  // namespace

TEST_CASE("others' use of a card is all use but ours") {
  NvmlProbe probe(fake_api(), kOwnPid);
  driver.processes = {{kOwnPid, 100, 50, 0, 0, 0}, {7, 100, 30, 0, 0, 0}, {kOwnPid, 200, 60, 0, 0, 0}};
  const auto gpus = probe.sample(1'000'000);
  REQUIRE(gpus);
  REQUIRE(gpus->size() == 2);
  CHECK((*gpus)[0].load == 0.8);
  CHECK(*(*gpus)[0].others_load == Approx(0.2));
  CHECK((*gpus)[0].temperature_c == 61.0);
  CHECK_FALSE((*gpus)[0].memory_total_mb);  // the table has no such function
  CHECK((*gpus)[0].pci_address.view() == "0001:3b:00.0");
  CHECK_FALSE((*gpus)[0].power_mw);
  SECTION("between two of the driver's samples the last one holds") {
    CHECK(*(*probe.sample(1'200'000))[0].others_load == Approx(0.2));
    CHECK(*(*probe.sample(3'000'000))[0].others_load == Approx(0.8));  // no more samples: we are idle
  }
  SECTION("a driver that does not tell processes apart") {
    driver.process_result = kNotSupported;
    const auto again = probe.sample(1'200'000);
    CHECK((*again)[0].load == 0.8);
    CHECK_FALSE((*again)[0].others_load);
  }
  SECTION("percentages beyond belief") {
    driver.busy_percent = 4294967295U;
    CHECK_FALSE((*probe.sample(1'200'000))[0].load);
  }
}

TEST_CASE("a driver that is missing, stops answering and comes back") {
  NvmlApi api = fake_api();
  driver.init_result = 9;
  NvmlProbe probe(api, kOwnPid);
  CHECK_FALSE(probe.sample(1'000'000));
  driver.init_result = 0;
  probe.rescan();
  CHECK(probe.sample(1'000'000));
  driver.answers = false;
  CHECK_FALSE(probe.sample(1'200'000));
  CHECK(driver.shutdowns == 1);
  CHECK_FALSE(probe.sample(1'400'000));
  driver.answers = true;
  probe.rescan();
  CHECK(probe.sample(1'600'000)->size() == 2);
}

TEST_CASE("what was initialised is shut down, and only that") {
  NvmlApi api = fake_api();
  { const NvmlProbe probe(api, kOwnPid); }
  CHECK(driver.shutdowns == 1);
  api = fake_api();
  driver.init_result = 9;
  { const NvmlProbe probe(api, kOwnPid); }
  CHECK(driver.shutdowns == 0);
}

TEST_CASE("more cards than we keep") {
  NvmlApi api = fake_api();
  driver.cards = 8;
  CHECK(NvmlProbe(api, kOwnPid).sample(1)->size() == kMaxGpus);
}

TEST_CASE("the library is loaded at run time, symbol by symbol") {
  auto api = load_nvml(DOFA_FAKE_NVML);
  REQUIRE(api);
  NvmlProbe probe(*api, kOwnPid);
  const auto gpus = probe.sample(1'000'000);
  REQUIRE(gpus);
  REQUIRE(gpus->size() == 1);
  const NvmlGpu& gpu = (*gpus)[0];
  CHECK(gpu.name.view() == "NVIDIA Fake 1");
  CHECK(gpu.load == 0.42);
  CHECK_FALSE(gpu.others_load);  // this library lacks the function
  CHECK(gpu.memory_used_mb == 1024.0);
  CHECK(gpu.memory_total_mb == 4096.0);
  CHECK(gpu.frequency_mhz == 1410.0);
  CHECK(gpu.max_frequency_mhz == 1980.0);
  CHECK(gpu.power_mw == 71'500.0);
  CHECK(gpu.temperature_c == 55.0);
}

TEST_CASE("a missing library and one that is no NVML are told apart") {
  CHECK(load_nvml("libdofa-no-such-library.so").error().code == dofa::ErrorCode::kNotFound);
  CHECK(load_nvml("libc.so.6").error().code == dofa::ErrorCode::kNotSupported);
}

TEST_CASE("the integrated GPU takes each value from its best source, cards follow") {
  Snapshot rest;
  TegrastatsLine line = parse_tegrastats("GR3D_FREQ 99%@[300,620] GPU@48C VDD_GPU 900mW/800mW");
  NvmlGpus cards;
  NvmlGpu own;
  own.name = "Orin (nvgpu)";
  own.memory_total_mb = 7000;
  own.load = 0.5;
  NvmlGpu discrete;
  discrete.name = "NVIDIA RTX A2000";
  discrete.load = 0.25;
  cards.push_back(own);
  cards.push_back(discrete);
  GpuSysfs sysfs;
  sysfs.name = "17000000.gpu";
  sysfs.load = 0.63;
  SECTION("all of them") {
    rest.tegrastats = fresh(line, Source::kTegrastats);
    const Gpus gpus = merge_gpus(fresh(sysfs, Source::kGpuSysfs), fresh(cards, Source::kNvml), rest);
    REQUIRE(gpus.size() == 2);
    CHECK(gpus[0].name.view() == "17000000.gpu");
    CHECK(gpus[0].load.value == 0.63);
    CHECK(gpus[0].load.source == Source::kGpuSysfs);
    CHECK(gpus[0].frequency_mhz.value == 620);
    CHECK(gpus[0].frequency_mhz.source == Source::kTegrastats);
    CHECK(gpus[0].temperature_c.value == 48);
    CHECK(gpus[0].power_mw.value == 900);
    CHECK(gpus[0].memory_total_mb.value == 7000);
    CHECK(gpus[0].memory_total_mb.source == Source::kNvml);
    CHECK(gpus[1].name.view() == "NVIDIA RTX A2000");
    CHECK(gpus[1].load.value == 0.25);
    CHECK_FALSE(gpus[1].temperature_c.present());
  }
  SECTION("tegrastats alone") {
    rest.tegrastats = fresh(line, Source::kTegrastats);
    const Gpus gpus = merge_gpus({}, {}, rest);
    REQUIRE(gpus.size() == 1);
    CHECK(gpus[0].load.value == 0.99);
  }
  SECTION("NVML alone knows a Jetson's GPU as its first card") {
    const Gpus gpus = merge_gpus({}, fresh(cards, Source::kNvml), rest);
    REQUIRE(gpus.size() == 2);
    CHECK(gpus[0].load.value == 0.5);
  }
  SECTION("none") {
    CHECK(merge_gpus({}, {}, rest).empty());
  }
}

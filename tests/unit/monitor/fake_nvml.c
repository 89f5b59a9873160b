/* SPDX-License-Identifier: Apache-2.0
 * A management library with one made-up card, for the tests of the loader. It lacks process utilisation on
 * purpose. */
#include <string.h>

typedef void* Device;
typedef struct {
  unsigned gpu, memory;
} Utilization;
typedef struct {
  unsigned long long total, free, used;
} Memory;

int nvmlInit_v2(void) {
  return 0;
}
int nvmlShutdown(void) {
  return 0;
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 1;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device* device) {
  static int card;
  *device = &card;
  return index == 0 ? 0 : 2;
}
int nvmlDeviceGetName(Device device, char* name, unsigned length) {
  (void)device;
  strncpy(name, "NVIDIA Fake 1", length);
  return 0;
}
int nvmlDeviceGetUtilizationRates(Device device, Utilization* use) {
  (void)device;
  use->gpu = 42;
  use->memory = 7;
  return 0;
}
int nvmlDeviceGetMemoryInfo(Device device, Memory* memory) {
  (void)device;
  memory->total = 4096ULL << 20;
  memory->used = 1024ULL << 20;
  memory->free = memory->total - memory->used;
  return 0;
}
int nvmlDeviceGetClockInfo(Device device, int type, unsigned* mhz) {
  (void)device;
  *mhz = 1410;
  return type == 1 ? 0 : 2; /* the SM clock */
}
int nvmlDeviceGetMaxClockInfo(Device device, int type, unsigned* mhz) {
  (void)device;
  *mhz = 1980;
  return type == 1 ? 0 : 2;
}
int nvmlDeviceGetPowerUsage(Device device, unsigned* milliwatts) {
  (void)device;
  *milliwatts = 71500;
  return 0;
}
int nvmlDeviceGetTemperature(Device device, int sensor, unsigned* celsius) {
  (void)device;
  *celsius = 55;
  return sensor == 0 ? 0 : 2;
}

// SPDX-License-Identifier: Apache-2.0
// What a family's levels cost on this machine, as a YAML file: measured once, kept beside the service's
// state, and invalid as soon as the fingerprint (CPU, lanes, version, the family's description) differs.
// Values only; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/base.hpp"

namespace dofa::config {

struct ProfilePoint {
  std::string subnet;
  std::string processor;    ///< "cpu", "cuda:0"
  double latency_us = 0;    ///< median inference time, of the whole batch, preprocessing apart
  std::uint32_t batch = 1;  ///< frames at once
  bool operator==(const ProfilePoint&) const = default;
};

struct ProfileFile {
  std::string family;
  std::string fingerprint;
  std::vector<ProfilePoint> points;
  bool operator==(const ProfileFile&) const = default;
};

Result<ProfileFile> parse_profile(const std::string& text, const std::string& path);
Result<ProfileFile> read_profile(const std::string& path);
std::string write_profile(const ProfileFile& profile);

}  // namespace dofa::config

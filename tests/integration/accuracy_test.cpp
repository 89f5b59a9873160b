// SPDX-License-Identifier: Apache-2.0
// Real networks on real photos: every level of the MobileNetV1 family reproduces its measured top-1 through
// Session.Infer. The figures were measured by other code (PyTorch and PIL), see ../shared/README.md.
#include <cstdlib>
#include <dofa/client.hpp>
#include <fstream>
#include <iostream>
#include <map>
#include <opencv2/imgcodecs.hpp>
#include <sstream>

#include "tests/support/catch.hpp"
#include "tests/support/daemon.hpp"
#include "tests/support/script_family.hpp"

using namespace dofa;
using namespace dofa::test;
namespace fs = std::filesystem;

namespace {

/// Class index by folder name, from val20's classes.txt ("wnid index name").
std::map<std::string, std::uint32_t> read_classes(const fs::path& file) {
  std::map<std::string, std::uint32_t> classes;
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string folder;
    std::uint32_t index = 0;
    if (words >> folder >> index) classes[folder] = index;
  }
  return classes;
}

}  // namespace

TEST_CASE("the levels of a real family reach their measured top-1 through the service") {
  const fs::path shared = shared_data();
  if (shared.empty()) return;
  TemporaryDirectory home;
  write_mobilenet_family(home.path() / "mobilenet", shared);
  Daemon daemon("families:\n  roots: [" + home.path().string() + ", " + (shared / "models").string() + "]\n");
  auto client = client::Client::connect({.bus = daemon.bus()});
  const auto family = client.family("mobilenet_v1");
  REQUIRE(family.subnets.size() == 4);
  std::vector<client::Session> sessions;
  for (const auto& subnet : family.subnets) {
    sessions.push_back(client.open_session("accuracy", "mobilenet_v1", {.level = subnet.level}));
  }
  std::vector<int> right(4, 0);
  int photos = 0;
  for (const auto& [folder, index] : read_classes(shared / "data/val20/classes.txt")) {
    for (const auto& entry : fs::directory_iterator(shared / "data/val20" / folder)) {
      cv::Mat image = cv::imread(entry.path().string(), cv::IMREAD_COLOR);
      REQUIRE(!image.empty());
      ++photos;
      const client::Frame frame{.pixels = {reinterpret_cast<const std::byte*>(image.data),
                                           image.step[0] * static_cast<std::size_t>(image.rows)},
                                .width = static_cast<std::uint32_t>(image.cols),
                                .height = static_cast<std::uint32_t>(image.rows),
                                .format = client::PixelFormat::kBgr8,
                                .stride = static_cast<std::uint32_t>(image.step[0])};
      for (std::size_t level = 0; level < sessions.size(); ++level) {
        if (sessions[level].infer(frame, {.top_k = 1}).top.at(0).class_index == index) ++right[level];
      }
    }
  }
  REQUIRE(photos == 1000);
  for (std::size_t level = 0; level < right.size(); ++level) {
    const double top1 = right[level] / static_cast<double>(photos);
    INFO(family.subnets[level].name << ": " << top1 << ", measured elsewhere "
                                    << *family.subnets[level].top1);
    CHECK(std::abs(top1 - *family.subnets[level].top1) <= 0.005);
    std::cout << family.subnets[level].name << ": top-1 " << top1 << " (stated "
              << *family.subnets[level].top1 << ")\n";
  }
}

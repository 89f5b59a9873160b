// SPDX-License-Identifier: Apache-2.0
// dofactl stream as its users run it, against a fake service that offers a ring.
#include <stdlib.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>

#include "tests/support/catch.hpp"
#include "tests/support/private_bus.hpp"
#include "tests/unit/client/fake_service.hpp"
#include "tests/unit/client/program.hpp"

using namespace dofa::test;
namespace fs = std::filesystem;

namespace {

/// Two grey pictures (PGM needs no library to write) and a file that is none.
class Pictures {
 public:
  Pictures() {
    char pattern[] = "/tmp/dofactl-stream-XXXXXX";
    path_ = ::mkdtemp(pattern);
    std::ofstream(path_ / "a.pgm", std::ios::binary) << "P5 3 2 255\n" << std::string(6, '\x10');
    std::ofstream(path_ / "b.pgm", std::ios::binary) << "P5 5 4 255\n" << std::string(20, '\x20');
    std::ofstream(path_ / "notes.txt") << "no picture";
  }
  ~Pictures() { fs::remove_all(path_); }
  [[nodiscard]] std::string path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace

TEST_CASE("dofactl stream sends a folder's pictures in order and sums up what became of them") {
  const PrivateBus bus;
  FakeService service(bus.address());
  const Pictures pictures;
  Program program({DOFACTL_PROGRAM, "--bus", bus.address(), "stream", pictures.path(), "--json", "--fps",
                   "100", "--loop", "--frames", "6", "--contract", "priority=2"});
  const int code = program.wait();
  INFO(program.err());
  CHECK(code == 0);
  CHECK(program.err().find("notes.txt: is not an image") != std::string::npos);
  const auto lines = program.out();
  const auto total = YAML::Load(lines.substr(lines.rfind('\n', lines.size() - 2) + 1));
  CHECK(total["schema"].as<int>() == 1);
  CHECK(total["span"].as<std::string>() == "total");
  CHECK(total["submitted"].as<int>() + total["given_up"].as<int>() == 6);
  CHECK(total["answered"].as<int>() == total["submitted"].as<int>());
  CHECK(total["failed"].as<int>() == 0);
  CHECK(total["attainment"].as<double>() == 0);  // the fake is late with each
  CHECK(total["level"].as<int>() == 1);
  CHECK(total["latency_us_mean"].as<int>() == 3'210);
  const auto frame = service.stream()->last_frame();
  CHECK(frame.width == 5);  // the sixth is b.pgm, in its own shape
  CHECK(frame.height == 4);
  CHECK(frame.format == DOFA_FORMAT_RGB8);
}

TEST_CASE("dofactl stream says what is wrong with its source") {
  const PrivateBus bus;
  FakeService service(bus.address());
  for (const char* source : {"/nonexistent", "/proc/self/status"}) {
    Program program({DOFACTL_PROGRAM, "--bus", bus.address(), "stream", source});
    CHECK(program.wait() == 1);
    CHECK(program.err().find("is no folder of images") != std::string::npos);
  }
}

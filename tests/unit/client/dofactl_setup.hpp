// SPDX-License-Identifier: Apache-2.0
// What tests of dofactl share: running it against a fake service, reading its JSON (with yaml-cpp, of which
// JSON is a subset), and a folder for its files. Checks with Catch2. Not thread-safe.
#pragma once

#include <stdlib.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/private_bus.hpp"
#include "tests/unit/client/fake_service.hpp"
#include "tests/unit/client/program.hpp"

namespace dofa::test::dofactl {

struct Result {
  int code;
  std::string out;
  std::string err;
};

inline Result run(const std::vector<std::string>& arguments,
                  const std::map<std::string, std::string>& environment = {}) {
  std::vector<std::string> words{DOFACTL_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  Program program(words, environment);
  const int code = program.wait();
  INFO(program.err());
  return {code, program.out(), program.err()};
}

/// One object on one line, and nothing else.
inline YAML::Node json(const std::string& text) {
  INFO(text);
  REQUIRE(text.find('\n') == text.size() - 1);
  const auto node = YAML::Load(text);
  REQUIRE(node["schema"].as<int>() == 1);
  return node;
}

struct Setup {
  PrivateBus bus;
  FakeService service{bus.address()};

  [[nodiscard]] Result ask(std::vector<std::string> arguments) const {
    return run(arguments, {{"DOFA_BUS", bus.address()}});
  }
};

class Folder {
 public:
  Folder() {
    char pattern[] = "/tmp/dofactl-test-XXXXXX";
    path_ = ::mkdtemp(pattern);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path_ / name;
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace dofa::test::dofactl

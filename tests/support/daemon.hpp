// SPDX-License-Identifier: Apache-2.0
// The real dofad in a test: on a private bus of type `system` with the shipped policy, on a configuration of
// the test's own, stopped by pid. Its log is printed where the test failed. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/private_bus.hpp"

namespace dofa::test {

/// A directory under /tmp that vanishes with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

void write_file(const std::filesystem::path& path, const std::string& text);
std::string read_file(const std::filesystem::path& path);

/// A program started by a test; killed and waited for with the object.
class Process {
 public:
  /// Output of both kinds goes to `log`.
  Process(const std::vector<std::string>& arguments, const std::filesystem::path& log);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const;
  /// Exit code (128 + signal where one ended it); throws std::runtime_error after `timeout_ms`.
  int wait(int timeout_ms = 30'000);
  [[nodiscard]] bool running();

 private:
  pid_t pid_ = -1;
  int status_ = 0;
};

class Daemon {
 public:
  /// Starts dofad with this dofad.yaml and returns once it owns its name. Throws with its log where it does
  /// not.
  explicit Daemon(const std::string& config, const PrivateBus::Options& bus = shipped_policy(),
                  const std::string& log_level = "debug");
  ~Daemon();

  [[nodiscard]] const std::string& bus() const { return bus_.address(); }
  [[nodiscard]] Process& process() { return *process_; }
  [[nodiscard]] std::string log() const { return read_file(directory_.path() / "dofad.log"); }
  [[nodiscard]] std::filesystem::path config_path() const { return directory_.path() / "dofad.yaml"; }
  /// kill -9, and a new one on the same bus with the same configuration; returns once that owns the name.
  void kill_and_restart();
  /// Waits until the log holds `text`; false after `timeout_ms`.
  [[nodiscard]] bool logs(const std::string& text, int timeout_ms = 10'000) const;

  static PrivateBus::Options shipped_policy();
  static std::string program(const std::string& name);  ///< build/NAME

 private:
  void start();

  TemporaryDirectory directory_;
  PrivateBus bus_;
  std::string log_level_;
  std::unique_ptr<Process> process_;
};

/// Polls `condition` until it holds; false after `timeout_ms`.
template <class Condition>
bool eventually(Condition condition, int timeout_ms = 10'000);

/// The data beside the checkout: $DOFA_SHARED or ../shared; empty (and a line that says so) where it is
/// absent.
std::filesystem::path shared_data();

}  // namespace dofa::test

#include <chrono>
#include <thread>

template <class Condition>
bool dofa::test::eventually(Condition condition, int timeout_ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

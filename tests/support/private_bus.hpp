// SPDX-License-Identifier: Apache-2.0
// A dbus-daemon of a test's own, so that no test needs (or touches) the machine's buses. kSystem behaves like
// the system bus of a distribution: nobody may own a name or call a method until a policy file allows it.
// kPermissive lets everybody do everything, like a session bus. The daemon lives as long as the object (and
// dies with the thread that made it, if that one crashes); its socket lies in a private directory under /tmp.
// Not thread-safe.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace dofa::test {

class PrivateBus {
 public:
  enum class Kind { kSystem, kPermissive };
  struct Options {
    Kind kind = Kind::kPermissive;
    /// Included in this order, after the default policy.
    std::vector<std::filesystem::path> policy_files = {};
    /// XML put last, for example one more `<policy context="default">` element.
    std::string extra_policy = {};
  };

  PrivateBus() : PrivateBus(Options{}) {}
  /// Returns once the bus accepts connections. Throws std::runtime_error (with what dbus-daemon said) where
  /// it does not.
  explicit PrivateBus(const Options& options);
  ~PrivateBus();
  PrivateBus(const PrivateBus&) = delete;
  PrivateBus& operator=(const PrivateBus&) = delete;

  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] pid_t pid() const { return pid_; }

  /// Stops the daemon by its pid, as a crash of the bus would look to its clients. Idempotent.
  void stop();

 private:
  std::filesystem::path directory_;
  std::string address_;
  pid_t pid_ = -1;
};

}  // namespace dofa::test

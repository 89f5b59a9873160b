// SPDX-License-Identifier: Apache-2.0
// A program run by a test, with its output caught. Not thread-safe. A program that still runs is killed by
// its pid when the object goes.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace dofa::test {

class Program {
 public:
  /// `words[0]` is the program's file; `environment` is added to the test's own.
  explicit Program(const std::vector<std::string>& words,
                   const std::map<std::string, std::string>& environment = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// Next line of stdout without its newline; "" at the end. Throws std::runtime_error where none comes in 10
  /// s.
  std::string read_line();
  /// Closes our end of its stdout, as a reader that lost interest does.
  void close_stdout();
  void send(int signal) const;
  /// Reads the rest of the output and waits for the end. The exit status, or 128 + the signal that killed it.
  int wait();

  [[nodiscard]] const std::string& out() const { return out_; }  ///< what wait() still found on stdout
  [[nodiscard]] const std::string& err() const { return err_; }

 private:
  pid_t pid_ = -1;
  int out_fd_ = -1;
  int err_fd_ = -1;
  std::string out_;
  std::string err_;
};

}  // namespace dofa::test

// SPDX-License-Identifier: Apache-2.0
// A test that went wrong must not hang: where the object still lives after its time, the program ends with
// the signal that Catch2 reports with the test's name. One at a time: it is the process's alarm.
#pragma once

#include <signal.h>
#include <unistd.h>

namespace dofa::test {

class Deadline {
 public:
  static constexpr unsigned kSeconds = 120;  // a test takes seconds, sanitized on a busy machine some more

  Deadline() {
    ::signal(SIGALRM, [](int) { ::raise(SIGTERM); });
    restart();
  }
  ~Deadline() { ::alarm(0); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  /// The whole time again, for tests as long as one wants them.
  void restart() { ::alarm(kSeconds); }  // NOLINT(readability-convert-member-functions-to-static)
};

}  // namespace dofa::test

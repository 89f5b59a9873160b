// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

extern char** environ;

namespace dofa::host {
namespace {

constexpr std::size_t kMaxOutput = 64UL << 10;

using Clock = std::chrono::steady_clock;

Error failed(const std::string& what, int code) {
  return {ErrorCode::kFailed, what + ": " + std::strerror(code)};
}

/// Appends what the pipe holds now; false once it is at its end.
bool read_available(int fd, std::string& output) {
  char buffer[4096];
  while (true) {
    const ssize_t count = read(fd, buffer, sizeof buffer);
    if (count > 0) {
      output.append(buffer, std::min(static_cast<std::size_t>(count), kMaxOutput - output.size()));
    } else if (count == 0 || errno != EINTR) {
      return count != 0 && errno == EAGAIN;
    }
  }
}

/// Collects output until the process ends (true) or the time is up. Waits for the process rather than for the
/// end of the pipe: it could close that and go on for ever, or leave it open in a child of its own.
bool collect(int pid_fd, int pipe_fd, Clock::time_point deadline, std::string& output) {
  pollfd items[2] = {{pid_fd, POLLIN, 0}, {pipe_fd, POLLIN, 0}};
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    if (poll(items, 2, static_cast<int>(left)) < 0 && errno != EINTR) return false;
    if (items[1].revents != 0 && !read_available(pipe_fd, output)) items[1].fd = -1;
    if (items[0].revents != 0) {
      if (items[1].fd >= 0) read_available(pipe_fd, output);
      return true;
    }
  }
}

}  // namespace

Result<ChildOutcome> run_child(const std::vector<std::string>& arguments, std::int64_t timeout_ms) {
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) return failed("pipe", errno);
  fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);  // our end only: the child's stdout behaves as programs expect
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t pid = -1;
  const int spawned = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_fds[1]);
  if (spawned != 0) {
    close(pipe_fds[0]);
    return failed(arguments[0] + ": cannot be started", spawned);
  }
  ChildOutcome outcome;
  const int pid_fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  const int pid_fd_error = errno;
  const auto deadline = Clock::now() + std::chrono::milliseconds(timeout_ms);
  if (pid_fd >= 0) {
    outcome.timed_out = !collect(pid_fd, pipe_fds[0], deadline, outcome.output);
    close(pid_fd);
  }
  close(pipe_fds[0]);
  if (outcome.timed_out || pid_fd < 0) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (pid_fd < 0) return failed("watching a child", pid_fd_error);
  if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
  return outcome;
}

}  // namespace dofa::host

// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/client/program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <utility>

namespace dofa::test {

namespace {
constexpr int kPatienceMs = 10'000;

/// Appends what is there to `text`; false at the end of the pipe.
bool read_some(int fd, std::string& text) {
  pollfd waiting{fd, POLLIN, 0};
  if (::poll(&waiting, 1, kPatienceMs) <= 0)
    throw std::runtime_error("the program says nothing more, and does not end");
  std::array<char, 4096> chunk;
  const ssize_t got = ::read(fd, chunk.data(), chunk.size());
  if (got <= 0) return false;
  text.append(chunk.data(), static_cast<std::size_t>(got));
  return true;
}
}  // namespace

Program::Program(const std::vector<std::string>& words,
                 const std::map<std::string, std::string>& environment) {
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0 || ::pipe2(err.data(), O_CLOEXEC) != 0)
    throw std::runtime_error("pipe");
  std::vector<char*> argv;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
  std::vector<char*> envp;
  for (auto& variable : variables) envp.push_back(variable.data());
  envp.push_back(nullptr);

  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  ::close(out[1]);
  ::close(err[1]);
  out_fd_ = out[0];
  err_fd_ = err[0];
  if (pid_ < 0) throw std::runtime_error("fork");
}

Program::~Program() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  close_stdout();
  ::close(err_fd_);
}

std::string Program::read_line() {
  for (;;) {
    const auto end = out_.find('\n');
    if (end != out_.npos) {
      std::string line = out_.substr(0, end);
      out_.erase(0, end + 1);
      return line;
    }
    if (!read_some(out_fd_, out_)) return std::exchange(out_, "");
  }
}

void Program::close_stdout() {
  if (out_fd_ >= 0) ::close(out_fd_);
  out_fd_ = -1;
}

void Program::send(int signal) const {
  ::kill(pid_, signal);
}

int Program::wait() {
  while (out_fd_ >= 0 && read_some(out_fd_, out_)) {
  }
  while (read_some(err_fd_, err_)) {
  }
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace dofa::test

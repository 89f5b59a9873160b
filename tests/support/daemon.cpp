// SPDX-License-Identifier: Apache-2.0
#include "tests/support/daemon.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>

extern char** environ;

namespace dofa::test {

TemporaryDirectory::TemporaryDirectory() {
  char name[] = "/tmp/dofa-test-XXXXXX";
  if (mkdtemp(name) == nullptr) throw std::runtime_error("no temporary directory");
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  if (!(file << text)) throw std::runtime_error(path.string() + ": cannot be written");
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Process::Process(const std::vector<std::string>& arguments, const std::filesystem::path& log) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int spawned = posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (spawned != 0) throw std::runtime_error(arguments[0] + ": cannot be started");
}

Process::~Process() {
  if (running()) {
    kill(pid_, SIGKILL);
    waitpid(pid_, &status_, 0);
  }
}

void Process::signal(int number) const {
  kill(pid_, number);
}

bool Process::running() {
  if (pid_ > 0 && waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = -1;
  return pid_ > 0;
}

int Process::wait(int timeout_ms) {
  if (!eventually([this] { return !running(); }, timeout_ms))
    throw std::runtime_error("a process does not end");
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

PrivateBus::Options Daemon::shipped_policy() {
  return {PrivateBus::Kind::kSystem, {std::string(DOFA_SOURCE_DIR) + "/systemd/org.dofa.Dofa1.conf"}, {}};
}

std::string Daemon::program(const std::string& name) {
  return std::string(DOFA_BINARY_DIR) + "/" + name;
}

Daemon::Daemon(const std::string& config, const PrivateBus::Options& bus, const std::string& log_level)
    : bus_(bus), log_level_(log_level) {
  write_file(config_path(), config);
  start();
}

void Daemon::start() {
  const std::size_t said = log().size();  // by one that was killed
  process_ = std::make_unique<Process>(std::vector<std::string>{program("dofad"), "--config", config_path(),
                                                                "--bus", bus(), "--log-level", log_level_},
                                       directory_.path() / "dofad.log");
  const auto serves = [&] { return log().find("serves on the", said) != std::string::npos; };
  // Under sanitizers and on a busy machine LibTorch alone takes seconds to start.
  if (!eventually([&] { return serves() || !process_->running(); }, 120'000) || !serves())
    throw std::runtime_error("dofad does not start:\n" + log());
}

void Daemon::kill_and_restart() {
  process_->signal(SIGKILL);
  process_->wait();
  start();
}

Daemon::~Daemon() {
  if (process_->running()) {
    process_->signal(SIGTERM);
    try {
      process_->wait();
    } catch (const std::exception& fault) {
      std::cerr << "dofad: " << fault.what() << "\n";
    }
  }
  if (std::uncaught_exceptions() > 0) std::cerr << "---- log of dofad\n" << log() << "----\n";
}

bool Daemon::logs(const std::string& text, int timeout_ms) const {
  return eventually(
             [&] { return log().find(text) != std::string::npos || (process_ && !process_->running()); },
             timeout_ms) &&
         log().find(text) != std::string::npos;
}

std::filesystem::path shared_data() {
  const char* configured = std::getenv("DOFA_SHARED");
  const std::filesystem::path path =
      configured != nullptr ? configured : std::string(DOFA_SOURCE_DIR) + "/../shared";
  if (std::filesystem::is_directory(path)) return std::filesystem::weakly_canonical(path);
  std::cout << "skipped: " << path << " is absent\n";
  return {};
}

}  // namespace dofa::test

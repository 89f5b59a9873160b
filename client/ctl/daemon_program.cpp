// SPDX-License-Identifier: Apache-2.0
// config check and parse-tegrastats: what dofad itself knows best, done by running it.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <system_error>

#include "client/ctl/verbs.hpp"

namespace dofa::ctl {

namespace {

namespace fs = std::filesystem;

/// Beside dofactl (a build directory), else where an installation has it (sbin is seldom in a user's PATH).
std::string find_dofad() {
  std::error_code error;
  std::vector<fs::path> folders;
  const fs::path own = fs::read_symlink("/proc/self/exe", error).parent_path();
  if (!own.empty()) folders = {own, own.parent_path() / "sbin"};
  const char* path = std::getenv("PATH");
  std::istringstream words(path == nullptr ? "" : path);
  for (std::string folder; std::getline(words, folder, ':');) {
    if (!folder.empty()) folders.emplace_back(folder);
  }
  for (const char* folder : {"/usr/local/sbin", "/usr/sbin", "/sbin"}) folders.emplace_back(folder);
  for (const auto& folder : folders) {
    const auto program = folder / "dofad";
    if (::access(program.c_str(), X_OK) == 0 && fs::is_regular_file(program, error)) return program;
  }
  throw client::Error(client::ErrorCode::kNotFound, "cannot find the program dofad");
}

struct Finished {
  bool ok = false;
  std::string output;  ///< stdout and stderr together, where they were captured
};

Finished run_dofad(const std::vector<std::string>& arguments, bool capture) {
  std::vector<std::string> words{find_dofad()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  std::array<int, 2> pipe{-1, -1};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  if (capture) {
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDERR_FILENO);
  }
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, words[0].c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (capture) ::close(pipe[1]);

  Finished finished;
  std::array<char, 4096> chunk;
  while (capture && error == 0) {
    const ssize_t got = ::read(pipe[0], chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    finished.output.append(chunk.data(), static_cast<std::size_t>(got));
  }
  if (capture) ::close(pipe[0]);
  if (error != 0) throw std::system_error(error, std::generic_category(), "cannot run " + words[0]);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  finished.ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return finished;
}

}  // namespace

int run_config(const Context& context) {
  if (context.argument(0) != "check")
    throw UsageError("'config' knows only 'check', not '" + context.argument(0) + "'");
  std::vector<std::string> arguments{"--check-config"};
  if (context.line.arguments().size() > 1) {
    arguments.push_back("--config");
    arguments.push_back(context.argument(1));
  }
  const auto finished = run_dofad(arguments, context.json);
  if (context.json) {
    json::Writer writer;
    const auto message = finished.output.substr(0, finished.output.find_last_not_of('\n') + 1);
    print(writer.begin_object()
              .member("schema", 1)
              .member("ok", finished.ok)
              .member("message", message)
              .end_object());
  }
  return finished.ok ? kExitOk : kExitFailed;
}

int run_parse_tegrastats(const Context& context) {
  // One object a line with or without --json: it is made for programs.
  return run_dofad({"--parse-tegrastats", context.argument(0)}, false).ok ? kExitOk : kExitFailed;
}

}  // namespace dofa::ctl

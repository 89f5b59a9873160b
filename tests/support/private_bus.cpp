// SPDX-License-Identifier: Apache-2.0
#include "tests/support/private_bus.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace dofa::test {

namespace {

constexpr const char* kPermissivePolicy = R"(  <policy context="default">
    <allow own="*"/>
    <allow eavesdrop="false" send_destination="*"/>
    <allow eavesdrop="false" send_type="signal"/>
    <allow receive_sender="*"/>
  </policy>
)";

// The rules that dbus-daemon's own system.conf starts from.
constexpr const char* kSystemPolicy = R"(  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Properties"/>
    <deny send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"
          send_member="UpdateActivationEnvironment"/>
  </policy>
)";

std::string configuration(const PrivateBus::Options& options, const std::filesystem::path& directory) {
  const bool system = options.kind == PrivateBus::Kind::kSystem;
  std::string text =
      "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
      " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n<busconfig>\n";
  text += std::string("  <type>") + (system ? "system" : "session") + "</type>\n";
  text += "  <listen>unix:path=" + (directory / "socket").string() + "</listen>\n  <auth>EXTERNAL</auth>\n";
  text += system ? kSystemPolicy : kPermissivePolicy;
  for (const auto& file : options.policy_files)
    text += "  <include>" + std::filesystem::absolute(file).string() + "</include>\n";
  return text + options.extra_policy + "</busconfig>\n";
}

std::string read_line(int fd) {
  std::string line;
  char c = 0;
  for (;;) {
    const auto got = ::read(fd, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got != 1 || c == '\n') return line;
    line += c;
  }
}

std::string contents(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

PrivateBus::PrivateBus(const Options& options) {
  char pattern[] = "/tmp/dofa-bus-XXXXXX";
  if (::mkdtemp(pattern) == nullptr) throw std::runtime_error("cannot make a directory under /tmp");
  directory_ = pattern;
  ::chmod(pattern, 0711);  // tests that change their user must reach the socket
  const auto config = directory_ / "bus.conf";
  const auto log = directory_ / "log";
  std::ofstream(config) << configuration(options, directory_);

  int pipe_fds[2];
  if (::pipe2(pipe_fds, O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
  const std::string config_option = "--config-file=" + config.string();
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    // The address arrives on stdout, complaints in the log.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    const int log_fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (::getppid() != parent || log_fd < 0) ::_exit(126);
    ::dup2(pipe_fds[1], STDOUT_FILENO);
    ::dup2(log_fd, STDERR_FILENO);
    ::execlp("dbus-daemon", "dbus-daemon", config_option.c_str(), "--nofork", "--nopidfile",
             "--print-address=1", static_cast<char*>(nullptr));
    ::_exit(127);
  }
  ::close(pipe_fds[1]);
  if (pid_ > 0) address_ = read_line(pipe_fds[0]);
  ::close(pipe_fds[0]);
  if (address_.empty()) {
    const std::string said = contents(log);
    stop();
    std::filesystem::remove_all(directory_);
    throw std::runtime_error("dbus-daemon did not start: " + said);
  }
}

PrivateBus::~PrivateBus() {
  stop();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void PrivateBus::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

}  // namespace dofa::test

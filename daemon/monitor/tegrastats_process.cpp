// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor/tegrastats_process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

namespace dofa::monitor {
namespace {

constexpr std::int64_t kFirstPauseUs = 1'000'000;
constexpr std::int64_t kLongestPauseUs = 60'000'000;  // also between looks for a program that is not there
constexpr std::uint64_t kHealthyLines = 10;  // then the next failure starts over with the first pause
constexpr std::int64_t kShortestSilenceUs = 5'000'000;
constexpr std::int64_t kSilentIntervals = 5;
constexpr std::int64_t kFloodWindowUs = 1'000'000;
constexpr std::size_t kFloodBytes = 256 * 1024;  // a thousand times what it prints at ten lines a second
constexpr std::size_t kPieceBytes = 64 * 1024;   // a pipe holds no more, so one read empties it

std::string seconds(std::int64_t us) {
  return std::to_string(us / 1'000'000) + " s";
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return "closed its output or was killed";
  if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
  return "exited with status " + std::to_string(WEXITSTATUS(status));
}

// Everything posix_spawn wants to have destroyed again.
struct SpawnSetup {
  SpawnSetup() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnSetup() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

}  // namespace

std::optional<std::string_view> NewestLine::feed(std::string_view piece) {
  const std::size_t last_end = piece.rfind('\n');
  if (last_end == std::string_view::npos) {
    overlong_ = overlong_ || begun_.size() + piece.size() > kLongestLine;
    if (overlong_) {
      begun_.clear();
    } else {
      begun_ += piece;
    }
    return std::nullopt;
  }
  const std::string_view complete = piece.substr(0, last_end);
  const std::size_t previous_end = complete.rfind('\n');
  line_.clear();
  if (previous_end == std::string_view::npos) {  // the line that was begun before
    if (!overlong_) line_ = begun_;
    if (!overlong_) line_ += complete;
  } else {
    line_ = complete.substr(previous_end + 1);
  }
  overlong_ = false;
  begun_.clear();
  (void)feed(piece.substr(last_end + 1));  // what follows has no newline
  if (line_.empty() || line_.size() > kLongestLine) return std::nullopt;
  return line_;
}

void NewestLine::clear() {
  begun_.clear();
  overlong_ = false;
}

TegrastatsProcess::TegrastatsProcess(std::string path, std::int64_t interval_us)
    : path_(std::move(path)), interval_us_(interval_us), pause_us_(kFirstPauseUs) {}

TegrastatsProcess::~TegrastatsProcess() {
  if (pid_ == 0) return;
  ::kill(-pid_, SIGKILL);
  // A killed process ends at once unless the kernel holds it; then init inherits it.
  constexpr int kTries = 200;
  constexpr timespec kPause{0, 1'000'000};
  for (int i = 0; i < kTries && ::waitpid(pid_, nullptr, WNOHANG) == 0; ++i) ::nanosleep(&kPause, nullptr);
}

std::optional<TegrastatsLine> TegrastatsProcess::poll(std::int64_t now_us) {
  if (ending_) reap(now_us);
  if (pid_ == 0 && now_us >= next_start_us_) start(now_us);
  if (pid_ == 0 || ending_) return std::nullopt;
  auto line = read_lines(now_us);
  if (ending_) {
    reap(now_us);
  } else if (now_us - last_good_us_ > std::max(kShortestSilenceUs, kSilentIntervals * interval_us_)) {
    end("silent for " + seconds(now_us - last_good_us_));
  }
  return line;
}

void TegrastatsProcess::start(std::int64_t now_us) {
  next_start_us_ = now_us + kLongestPauseUs;
  if (::access(path_.c_str(), X_OK) != 0) return;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return;
  Fd read_end(ends[0]);
  const Fd write_end(ends[1]);
  ::fcntl(read_end.get(), F_SETFL, O_NONBLOCK);

  SpawnSetup setup;
  ::posix_spawn_file_actions_addopen(&setup.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&setup.actions, write_end.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&setup.actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addclosefrom_np(&setup.actions, STDERR_FILENO + 1);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&setup.attributes, &none);  // our thread blocks every signal
  ::posix_spawnattr_setsigdefault(&setup.attributes, &all);
  ::posix_spawnattr_setpgroup(&setup.attributes, 0);  // so that a wrapper script's children die with it
  ::posix_spawnattr_setflags(&setup.attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

  std::string option = "--interval";
  std::string milliseconds = std::to_string(std::max<std::int64_t>(interval_us_ / 1000, 1));
  std::array<char*, 4> arguments = {path_.data(), pass_interval_ ? option.data() : nullptr,
                                    milliseconds.data(), nullptr};
  std::string locale = "LC_ALL=C";
  std::string search = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  std::array<char*, 3> environment = {locale.data(), search.data(), nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, path_.c_str(), &setup.actions, &setup.attributes, arguments.data(),
                                  environment.data());
  if (error != 0) {
    trouble_ = std::string("cannot be started: ") + std::strerror(error);
    return;
  }
  pid_ = pid;
  output_ = std::move(read_end);
  lines_.clear();
  good_lines_ = 0;
  last_good_us_ = now_us;
  flood_window_us_ = now_us;
  flood_bytes_ = 0;
}

std::optional<TegrastatsLine> TegrastatsProcess::read_lines(std::int64_t now_us) {
  std::array<char, kPieceBytes> piece;
  const ssize_t length = ::read(output_.get(), piece.data(), piece.size());
  if (length < 0) {
    if (errno != EAGAIN && errno != EINTR) end("");
    return std::nullopt;
  }
  if (length == 0) {
    end("");
    return std::nullopt;
  }
  if (now_us - flood_window_us_ > kFloodWindowUs) {
    flood_window_us_ = now_us;
    flood_bytes_ = 0;
  }
  flood_bytes_ += static_cast<std::size_t>(length);
  if (flood_bytes_ > kFloodBytes) {
    end("floods its output");
    return std::nullopt;
  }
  const auto text = lines_.feed({piece.data(), static_cast<std::size_t>(length)});
  if (!text) return std::nullopt;
  const TegrastatsLine line = parse_tegrastats(*text);
  if (line.empty()) return std::nullopt;
  last_good_us_ = now_us;
  if (++good_lines_ >= kHealthyLines) pause_us_ = kFirstPauseUs;
  return line;
}

// Without a reason of ours the exit status will be the reason.
void TegrastatsProcess::end(std::string reason) {
  ::kill(-pid_, SIGKILL);
  output_.reset();
  end_reason_ = std::move(reason);
  ending_ = true;
}

void TegrastatsProcess::reap(std::int64_t now_us) {
  int status = 0;
  const pid_t reaped = ::waitpid(pid_, &status, WNOHANG);
  if (reaped == 0 || (reaped < 0 && errno == EINTR)) return;
  if (end_reason_.empty()) end_reason_ = reaped > 0 ? how_it_ended(status) : "ended";
  pid_ = 0;
  ending_ = false;
  if (good_lines_ == 0) pass_interval_ = !pass_interval_;
  next_start_us_ = now_us + pause_us_;
  trouble_ = end_reason_ + "; next try in " + seconds(pause_us_);
  pause_us_ = std::min(2 * pause_us_, kLongestPauseUs);
}

}  // namespace dofa::monitor

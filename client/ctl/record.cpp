// SPDX-License-Identifier: Apache-2.0
// record: what happens at the service, into a file of JSON lines (client/recording/). Frames and readings are
// asked for at an interval on our thread; events are written as they come, on the client's.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <ctime>
#include <map>
#include <mutex>
#include <system_error>

#include "client/ctl/ending.hpp"
#include "client/ctl/present.hpp"
#include "client/ctl/verbs.hpp"
#include "client/recording/lines.hpp"

namespace dofa::ctl {

namespace {

constexpr double kDefaultIntervalS = 0.2;
constexpr std::int64_t kListUs = 2'000'000;

std::int64_t clock_us(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1'000;
}

/// The file, written to by two threads; each piece is whole lines.
class Output {
 public:
  explicit Output(const std::string& file) : file_(file) {
    if (file == "-") return;
    fd_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd_ < 0) throw std::runtime_error(file + ": " + std::generic_category().message(errno));
  }
  ~Output() {
    if (fd_ >= 0) ::close(fd_);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(std::string_view text) {
    if (fd_ < 0) {
      print(text);
      return;
    }
    const std::lock_guard lock(mutex_);
    while (!text.empty()) {
      const ssize_t written = ::write(fd_, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw std::runtime_error(file_ + ": " + std::generic_category().message(errno));
      text.remove_prefix(static_cast<std::size_t>(written));
    }
  }

 private:
  const std::string file_;
  int fd_ = -1;
  std::mutex mutex_;
};

class Recorder {
 public:
  Recorder(const client::Client& client, Output& output, std::vector<std::string> only)
      : client_(client), output_(output), only_(std::move(only)) {}

  void start(std::int64_t interval_us) {
    output_.write(recording::start_line(clock_us(CLOCK_REALTIME), client_.service().version, interval_us));
  }

  [[nodiscard]] std::int64_t now_us() const { return clock_us(CLOCK_MONOTONIC) - start_us_; }

  /// On the client's thread.
  void event(const client::Event& event) {
    using Kind = client::Event::Kind;
    if (!event.session.empty() && !wanted(event.session)) return;
    if (event.kind == Kind::kSubnetChanged) ++switches;
    if (event.kind == Kind::kServiceVanished) gone_ = true;
    if (event.kind == Kind::kSessionOpened || event.changes.contains("Contract")) sessions_changed_ = true;
    output_.write(recording::event_line(now_us(), event));
  }

  /// Everything that can be asked for. Throws client::Error where the service is away, after having written
  /// what came before.
  void sample() {
    if (gone_.exchange(false)) forget();
    std::string lines = recording::processors_line(now_us(), client_.service().processors);
    try {
      look(lines);
    } catch (...) {
      sessions_changed_ = true;
      output_.write(lines);  // what was asked for will not be answered again
      throw;
    }
    output_.write(lines);
  }

  /// The service went away: sessions begin anew.
  void forget() {
    sessions_changed_ = true;
    tracks_.clear();
    families_.clear();
  }

  std::uint64_t frames = 0;
  std::uint64_t lost = 0;
  std::size_t sessions_seen = 0;
  std::atomic<std::uint64_t> switches = 0;

 private:
  struct Track {
    client::Session session;
    client::Contract contract;
    std::uint64_t next = 0;
    bool begun = false;  ///< something was asked for already
  };

  [[nodiscard]] bool wanted(const std::string& session) const {
    return only_.empty() || std::ranges::find(only_, session) != only_.end();
  }

  void look(std::string& lines) {
    // The list comes with every family and its labels: seldom, where no event says that it is another.
    if (sessions_changed_.exchange(false) || now_us() - listed_us_ >= kListUs) {
      const auto sessions = client_.sessions();
      listed_us_ = now_us();
      std::erase_if(tracks_, [&](const auto& track) {
        return std::ranges::find(sessions, track.first, &client::SessionInfo::id) == sessions.end();
      });
      for (const auto& session : sessions) {
        if (wanted(session.id)) lines += follow(session);
      }
    }
    for (auto& [id, track] : tracks_) lines += frames_of(id, track);
  }

  /// Changes nothing where it throws.
  std::string follow(const client::SessionInfo& session) {
    std::string lines;
    const auto track = tracks_.find(session.id);
    if (track == tracks_.end()) {
      try {
        Track begun{.session = client_.session(session.id), .contract = session.contract};
        if (std::ranges::find(families_, session.family) == families_.end()) {
          lines += recording::family_line(now_us(), client_.family(session.family));
          families_.push_back(session.family);
        }
        tracks_.emplace(session.id, std::move(begun));
      } catch (const client::Error& error) {
        if (error.code() == client::ErrorCode::kNotFound) return "";  // gone since it was listed
        throw;
      }
      ++sessions_seen;
      lines += recording::session_line(now_us(), session);
    } else if (track->second.contract != session.contract) {
      track->second.contract = session.contract;
      lines += recording::session_line(now_us(), session);
    }
    return lines;
  }

  std::string frames_of(const std::string& id, Track& track) {
    client::RecentFrames recent;
    try {
      recent = track.session.recent_frames(track.next);
    } catch (const client::Error& error) {
      if (error.code() == client::ErrorCode::kNotFound || error.code() == client::ErrorCode::kNotSupported)
        return "";
      throw;
    }
    std::string lines;
    for (const auto& frame : recent.frames) {
      const recording::Frame one{.t_us = static_cast<std::int64_t>(frame.arrival_us) - start_us_,
                                 .queue_us = frame.queue_us,
                                 .service_us = frame.service_us,
                                 .level = frame.level,
                                 .outcome = frame.outcome};
      if (one.t_us < 0) continue;  // from before the recording
      lines += recording::frame_line(id, one);
      ++frames;
    }
    const std::uint64_t missing = recent.next - track.next - recent.frames.size();
    if (track.begun && recent.next >= track.next && missing > 0) {
      lines += recording::lost_line(now_us(), id, missing);
      lost += missing;
    }
    track.next = recent.next;
    track.begun = true;
    return lines;
  }

  const client::Client& client_;
  Output& output_;
  const std::vector<std::string> only_;
  const std::int64_t start_us_ = clock_us(CLOCK_MONOTONIC);
  std::atomic<bool> gone_ = false;             ///< the service was, since the last look
  std::atomic<bool> sessions_changed_ = true;  ///< since they were listed
  std::int64_t listed_us_ = 0;
  std::map<std::string, Track> tracks_;
  std::vector<std::string> families_;  ///< written already
};

std::string summary_text(const Recorder& recorder) {
  std::string text =
      std::to_string(recorder.frames) + " frames of " + std::to_string(recorder.sessions_seen) +
      (recorder.sessions_seen == 1 ? " session, " : " sessions, ") + std::to_string(recorder.switches) +
      " switches in " + fixed(static_cast<double>(recorder.now_us()) / 1e6, 1) + " s";
  if (recorder.lost > 0) text += "; " + std::to_string(recorder.lost) + " frames came too fast to be seen";
  return text;
}

/// While the recording runs, on a terminal: one line that is written over.
void show_progress(const Recorder& recorder) {
  static const bool terminal = ::isatty(STDERR_FILENO) == 1;
  if (!terminal) return;
  const std::string line = "\r\033[Krecording: " + summary_text(recorder) + " (Ctrl-C ends)";
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

void end_progress() {
  if (::isatty(STDERR_FILENO) == 1) (void)!::write(STDERR_FILENO, "\r\033[K", 4);
}

}  // namespace

int run_record(const Context& context) {
  const double interval = context.line.number("--interval", 0.05, 10).value_or(kDefaultIntervalS);
  const auto seconds = context.line.number("--seconds", 0.1, 86'400.0 * 365);
  const std::int64_t pause_ms = std::lround(interval * 1e3);
  const Ending ending;
  const auto client = context.connect();
  (void)client.service();  // no file where there is nothing to record
  const auto only = context.line.all("--session");
  for (const auto& session : only) (void)client.session(session);  // throws where there is none
  Output output(context.argument(0));
  Recorder recorder(client, output, only);
  recorder.start(std::lround(interval * 1e6));
  std::exception_ptr failure;  // of the client's thread; read once that is over
  {
    const auto watch = client.watch([&](const client::Event& event) {
      try {
        recorder.event(event);
      } catch (...) {
        failure = std::current_exception();
        ending.wake();
      }
    });
    bool over = false;
    while (!over) {
      try {
        recorder.sample();
      } catch (const client::Error& error) {
        if (error.code() == client::ErrorCode::kNotAuthorized) throw;
        // Away, the recording goes on when it is back. Where it is only slow its sessions live on, and what
        // was written of them must not be written twice.
        if (error.code() == client::ErrorCode::kUnreachable) recorder.forget();
      }
      show_progress(recorder);
      const std::int64_t left_ms =
          seconds ? std::lround(*seconds * 1e3) - recorder.now_us() / 1'000 : pause_ms;
      over = ending.wait(static_cast<int>(std::clamp<std::int64_t>(left_ms, 0, pause_ms))) ||
             (seconds && static_cast<double>(recorder.now_us()) >= *seconds * 1e6);
    }
  }
  end_progress();
  if (failure) std::rethrow_exception(failure);
  try {
    recorder.sample();  // what the last interval held
  } catch (const client::Error&) {
    // The service has gone before us.
  }
  output.write(recording::end_line(recorder.now_us()));
  if (context.argument(0) == "-") return kExitOk;
  if (context.json) {
    json::Writer writer;
    print(writer.begin_object()
              .member("schema", 1)
              .member("file", context.argument(0))
              .member("seconds", static_cast<double>(recorder.now_us()) / 1e6)
              .member("sessions", recorder.sessions_seen)
              .member("frames", recorder.frames)
              .member("lost", recorder.lost)
              .member("switches", recorder.switches.load())
              .end_object());
  } else {
    print(printable(context.argument(0)) + ": " + summary_text(recorder) + "\n");
  }
  return kExitOk;
}

}  // namespace dofa::ctl

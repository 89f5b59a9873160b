// SPDX-License-Identifier: Apache-2.0
// dofactl-top: what `dofactl top` becomes. Wires the terminal, the person's choices and the service together;
// one loop waits for keys, news, signals.
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <clocale>
#include <cmath>
#include <cstring>
#include <memory>

#include "client/ctl/program.hpp"
#include "client/top/clock.hpp"
#include "client/top/poller.hpp"
#include "client/top/terminal.hpp"

namespace {

using namespace dofa;

constexpr std::chrono::milliseconds kPatience(200);  // for a last answer

/// Whether the person's terminal is said to understand UTF-8. Leaves C.UTF-8 in force, for the widths of
/// words.
bool has_utf8() {
  std::setlocale(LC_CTYPE, "");
  const bool utf8 = std::strcmp(::nl_langinfo(CODESET), "UTF-8") == 0;
  std::setlocale(LC_CTYPE, "C.UTF-8");
  return utf8;
}

void take_news(top::Poller& poller, top::Model& model, top::Ui& ui) {
  auto news = poller.take();
  if (news.snapshot) model.take(std::move(*news.snapshot));
  if (!news.trouble.empty()) model.lose(news.trouble);
  for (auto& [session, note] : news.notes) model.note(session, std::move(note));
  if (news.answer) ui.say(news.answer->words, news.answer->is_error);
}

struct LoopSetup {
  bool utf8;
  int news_fd;
  int signal_fd;
};

/// Until the person leaves: the exit code.
int run_loop(top::Terminal& terminal, top::Poller& poller, const LoopSetup& setup) {
  top::Model model;
  top::Ui ui;
  for (;;) {
    model.await(poller.waiting());
    terminal.show(top::draw(model, ui,
                            {.width = terminal.width(),
                             .height = terminal.height(),
                             .ascii = !setup.utf8,
                             .clock = top::clock_text()}));
    std::array<pollfd, 3> fds{
        {{STDIN_FILENO, POLLIN, 0}, {setup.news_fd, POLLIN, 0}, {setup.signal_fd, POLLIN, 0}}};
    constexpr int kClockMs = 1000;  // the title's clock goes on
    if (::poll(fds.data(), fds.size(), kClockMs) < 0 && errno != EINTR) return ctl::kExitFailed;
    eventfd_t count = 0;
    if (fds[1].revents != 0 && ::eventfd_read(setup.news_fd, &count) == 0) take_news(poller, model, ui);
    signalfd_siginfo signal{};
    while (fds[2].revents != 0 && ::read(setup.signal_fd, &signal, sizeof signal) == sizeof signal) {
      if (signal.ssi_signo != SIGWINCH) return ctl::kExitOk;
      terminal.resize();
    }
    while (const auto key = terminal.key()) {
      auto effect = ui.press(*key, model);
      if (effect.quit) return ctl::kExitOk;
      if (effect.wish) poller.change(std::move(*effect.wish));
    }
    if ((fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) return ctl::kExitOk;  // the terminal has gone
  }
}

int run_screen(const ctl::Context& context) {
  const double interval = context.line.number("--interval", 0.1, 60).value_or(1);
  // Signals come as readable descriptors, and to no other thread; the terminal's stop key stays ncurses's.
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGWINCH}) ::sigaddset(&signals, signal);
  sigset_t for_others = signals;
  ::sigaddset(&for_others, SIGTSTP);
  ::pthread_sigmask(SIG_BLOCK, &for_others, nullptr);
  const int signal_fd = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  const int news_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

  const bool utf8 = has_utf8();
  auto terminal = std::make_unique<top::Terminal>(ctl::use_color(context.color));
  top::Poller poller(context.connect_options, std::chrono::milliseconds(std::lround(interval * 1e3)),
                     [news_fd] { ::eventfd_write(news_fd, 1); });
  sigset_t stop;
  ::sigemptyset(&stop);
  ::sigaddset(&stop, SIGTSTP);
  ::pthread_sigmask(SIG_UNBLOCK, &stop, nullptr);

  const int code = run_loop(*terminal, poller, {.utf8 = utf8, .news_fd = news_fd, .signal_fd = signal_fd});
  if (poller.stop(kPatience)) return code;
  // A call hangs in a service that does; whoever has pressed q does not wait for it.
  terminal.reset();
  ::_exit(code);
}

}  // namespace

int main(int argc, char** argv) {
  return ctl::guarded_main([&] {
    ctl::Verb verb = ctl::find_verb("top");
    verb.run = run_screen;
    return ctl::run_verb(verb, std::vector<std::string>(argv + 1, argv + argc));
  });
}

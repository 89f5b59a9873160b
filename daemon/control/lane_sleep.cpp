// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/lane_sleep.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace dofa::control {

namespace {

constexpr std::uint64_t kWake = 0;

UniqueFd require(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return UniqueFd(fd);
}

bool add(const UniqueFd& set, int fd, std::uint64_t id, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  return epoll_ctl(set.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

LaneSleep::LaneSleep()
    : epoll_(require(epoll_create1(EPOLL_CLOEXEC), "lanes: epoll")),
      wake_(require(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "lanes: eventfd")) {
  if (!add(epoll_, wake_.get(), kWake, EPOLLIN))
    throw std::system_error(errno, std::generic_category(), "lanes: epoll");
}

void LaneSleep::watch(int fd, std::uint64_t id) const {
  (void)add(epoll_, fd, id, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE);  // once a bell, also where it is left on
}

void LaneSleep::unwatch(int fd) const {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void LaneSleep::wake() const {
  (void)eventfd_write(wake_.get(), 1);
}

std::span<const std::uint64_t> LaneSleep::wait(std::int64_t patience_us) {
  std::array<epoll_event, kMostBells + 1> events;  // and the wake
  const auto timeout_ms = static_cast<int>(std::clamp<std::int64_t>((patience_us + 999) / 1000, 0, 60'000));
  const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
  std::size_t bells = 0;
  for (int i = 0; i < count; ++i) {
    eventfd_t ignored = 0;
    if (events[i].data.u64 == kWake) {
      (void)eventfd_read(wake_.get(), &ignored);
    } else {
      rung_[bells++] = events[i].data.u64;
    }
  }
  return std::span(rung_).first(bells);
}

}  // namespace dofa::control

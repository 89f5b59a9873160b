// SPDX-License-Identifier: Apache-2.0
#include "daemon/stream/server.hpp"

#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace dofa::stream {
namespace {

constexpr std::uint64_t kNudge = 0;
/// An idle lane that has heard a bell is enough. A hang-up wakes all, and reads as an end where it is only
/// half of one.
constexpr std::uint32_t kBells = EPOLLIN | EPOLLEXCLUSIVE;
constexpr std::int64_t kMuteUs = 1000;
constexpr int kMuteMs = 1;

control::UniqueFd require(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return control::UniqueFd(fd);
}

Error exhausted(const char* limit, std::uint64_t allowed) {
  return {ErrorCode::kResourceExhausted, std::string("limits.") + limit +
                                             ": this user's rings would take more than " +
                                             std::to_string(allowed) + " bytes"};
}

}  // namespace

Server::Server(control::Runtime& runtime)
    : runtime_(runtime),
      epoll_(require(epoll_create1(EPOLL_CLOEXEC), "streams: epoll")),
      nudge_(require(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "streams: eventfd")) {
  if (!watch(nudge_.get(), kNudge, EPOLLIN)) {
    throw std::system_error(errno, std::generic_category(), "streams: epoll");
  }
  runtime_.set_bell_listener(this);
  thread_ = std::thread([this] { serve(); });
}

Server::~Server() {
  runtime_.set_bell_listener(nullptr);
  stopping_ = true;
  nudge();
  thread_.join();
  for (const auto& [id, ring] : rings_) ring->hang_up();
}

bool Server::watch(int fd, StreamId id, std::uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Server::nudge() const {
  (void)eventfd_write(nudge_.get(), 1);
}

bool Server::listen_to(const Ring& ring, StreamId id) {
  runtime_.watch_bell(ring.session(), ring.doorbell(), id);
  return watch(ring.doorbell(), id, kBells);
}

void Server::stop_listening_to(const Ring& ring) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, ring.doorbell(), nullptr);
  runtime_.unwatch_bell(ring.doorbell());
}

std::uint64_t Server::bytes_of(std::uint32_t uid) {
  std::uint64_t bytes = 0;
  const auto count = [&](const Ring& ring) {
    if (ring.session().identity().uid == uid) bytes += ring.bytes();
  };
  for (const auto& [id, ring] : rings_) count(*ring);
  std::erase_if(closing_, [](const auto& ring) { return ring.expired(); });
  for (const auto& closing : closing_) {
    if (const auto ring = closing.lock()) count(*ring);
  }
  return bytes;
}

Result<void> Server::check_room(const control::Session& session, std::uint64_t bytes) {
  if (stream_of(session) != rings_.end())
    return Error{ErrorCode::kBusy, "the session has a stream already: close its doorbell first"};
  const std::uint64_t allowed = runtime_.limits().ring_bytes_per_uid;
  if (bytes_of(session.identity().uid) + bytes > allowed) return exhausted("ring_bytes_per_uid", allowed);
  return {};
}

Result<control::StreamEnds> Server::open_stream(const std::shared_ptr<control::Session>& session,
                                                const control::StreamRequest& request) {
  const std::uint32_t classes = session->family().family->description().classes;
  const auto layout = plan_ring(request, classes, runtime_.limits());
  if (!layout) return layout.error();
  auto memory = SharedMemory::create(layout->bytes);
  if (!memory) return memory.error();
  auto doorbells = make_doorbells();
  if (!doorbells) return doorbells.error();
  control::StreamEnds ends{memory->take_fd(), std::move(doorbells->theirs)};
  auto ring =
      std::make_shared<Ring>(runtime_, session, *layout, std::move(*memory), std::move(doorbells->ours));

  std::shared_ptr<Ring> former;
  const std::lock_guard lock(mutex_);
  // An application that closed its stream may ask for the next before the stream thread has heard of it.
  const auto earlier = stream_of(*session);
  if (earlier != rings_.end() && earlier->second->application_gone()) former = forget(earlier);
  if (auto room = check_room(*session, layout->bytes); !room) return room.error();
  // close_stream() comes after the session's mark and waits for the lock: whichever is first, none is left
  // behind.
  if (session->closed()) return Error{ErrorCode::kCancelled, "the session is closed"};
  const StreamId id = next_id_++;
  if (!listen_to(*ring, id)) return Error{ErrorCode::kFailed, "the doorbell cannot be watched"};
  rings_.emplace(id, std::move(ring));
  spdlog::debug("session {}: stream of {} slots, {} bytes opened", session->identity().id, layout->slots,
                layout->bytes);
  return ends;
}

void Server::close_stream(const control::Session& session) {
  std::shared_ptr<Ring> closed;
  const std::lock_guard lock(mutex_);
  if (const auto at = stream_of(session); at != rings_.end()) closed = forget(at);
}

std::size_t Server::streams() const {
  const std::lock_guard lock(mutex_);
  return rings_.size();
}

Server::Rings::iterator Server::stream_of(const control::Session& session) {
  return std::find_if(rings_.begin(), rings_.end(),
                      [&](const auto& entry) { return &entry.second->session() == &session; });
}

std::shared_ptr<Ring> Server::forget(Rings::iterator at) {
  std::shared_ptr<Ring> ring = std::move(at->second);
  rings_.erase(at);
  stop_listening_to(*ring);
  ring->forget_pixels();
  ring->hang_up();
  closing_.push_back(ring);
  spdlog::debug("session {}: stream closed", ring->session().identity().id);
  return ring;
}

void Server::serve() {
  pthread_setname_np(pthread_self(), "streams");
  std::array<epoll_event, 64> events;
  bool any_muted = false;
  while (!stopping_) {
    const int count =
        epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), any_muted ? kMuteMs : -1);
    for (int i = 0; i < count; ++i) {
      eventfd_t ignored = 0;
      if (events[i].data.u64 == kNudge) {
        (void)eventfd_read(nudge_.get(), &ignored);
      } else {
        visit(events[i].data.u64, events[i].events);
      }
    }
    any_muted = unmute();
  }
}

std::shared_ptr<Ring> Server::ring_of(StreamId id) const {
  const std::lock_guard lock(mutex_);
  const auto at = rings_.find(id);
  return at == rings_.end() ? nullptr : at->second;  // none: closed since its doorbell rang
}

void Server::rung(std::uint64_t id) {
  const std::shared_ptr<Ring> ring = ring_of(id);
  // Where it has gone, the stream thread has heard that too, and unmapping takes too long for a lane.
  if (!ring || ring->visit() != Ring::Visit::kNuisance) return;
  const std::lock_guard lock(mutex_);
  mute(id);
  nudge();
}

void Server::visit(StreamId id, std::uint32_t events) {
  const std::shared_ptr<Ring> ring = ring_of(id);
  if (!ring) return;
  auto outcome = Ring::Visit::kGone;
  if ((events & (EPOLLHUP | EPOLLERR)) == 0) outcome = ring->visit();
  if (outcome == Ring::Visit::kServed) return;
  const std::lock_guard lock(mutex_);
  if (outcome == Ring::Visit::kNuisance) return mute(id);
  if (const auto at = rings_.find(id); at != rings_.end())
    (void)forget(at);  // `ring` keeps it until the lock is let go
}

void Server::mute(StreamId id) {
  const auto at = rings_.find(id);
  if (at == rings_.end()) return;
  stop_listening_to(*at->second);
  muted_.push_back({id, control::now_us() + kMuteUs});
}

bool Server::unmute() {
  const std::lock_guard lock(mutex_);
  if (muted_.empty()) return false;
  const std::int64_t now = control::now_us();
  std::erase_if(muted_, [&](Muted& muted) {
    if (now < muted.until_us) return false;
    const auto at = rings_.find(muted.id);
    if (at == rings_.end() || listen_to(*at->second, muted.id)) return true;
    if (errno == EEXIST) return true;  // muted twice at once, and listened to again already
    muted.until_us = now + kMuteUs;    // no memory for it now
    return false;
  });
  return !muted_.empty();
}

}  // namespace dofa::stream

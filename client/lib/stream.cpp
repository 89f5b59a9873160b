// SPDX-License-Identifier: Apache-2.0
#include "client/lib/stream.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace dofa::client {

namespace {

using Clock = std::chrono::steady_clock;

static_assert(DOFA_FORMAT_RGB8 == static_cast<int>(PixelFormat::kRgb8));
static_assert(DOFA_FORMAT_BGR8 == static_cast<int>(PixelFormat::kBgr8));
static_assert(DOFA_FORMAT_GRAY8 == static_cast<int>(PixelFormat::kGray8));
static_assert(DOFA_FORMAT_NV12 == static_cast<int>(PixelFormat::kNv12));
static_assert(DOFA_FORMAT_YUYV == static_cast<int>(PixelFormat::kYuyv));
static_assert(DOFA_FORMAT_FLOAT32_NCHW == static_cast<int>(PixelFormat::kFloat32Nchw));

sdbus::UnixFd checked(int fd, const char* what) {
  if (fd < 0)
    throw Error(ErrorCode::kResourceExhausted,
                std::string(what) + ": " + std::generic_category().message(errno));
  return sdbus::UnixFd{fd, sdbus::adopt_fd};
}

void add_to(const sdbus::UnixFd& set, const sdbus::UnixFd& fd) {
  epoll_event readable{.events = EPOLLIN, .data = {}};
  if (::epoll_ctl(set.get(), EPOLL_CTL_ADD, fd.get(), &readable) != 0)
    throw Error(ErrorCode::kResourceExhausted,
                "cannot watch a stream: " + std::generic_category().message(errno));
}

/// What is left until `deadline` as ppoll() wants it: poll()'s milliseconds would spoil a camera's pace.
timespec time_until(Clock::time_point deadline) {
  const auto left = std::max(Clock::duration::zero(), deadline - Clock::now()) / std::chrono::nanoseconds(1);
  return {.tv_sec = left / 1'000'000'000, .tv_nsec = left % 1'000'000'000};
}

}  // namespace

FrameSlot::FrameSlot(std::shared_ptr<Ring> ring, std::uint32_t index)
    : ring_(std::move(ring)), index_(index) {}
FrameSlot::FrameSlot(FrameSlot&& other) noexcept
    : ring_(std::exchange(other.ring_, nullptr)), index_(other.index_) {}
FrameSlot& FrameSlot::operator=(FrameSlot&& other) noexcept {
  if (this == &other) return *this;
  give_back();
  ring_ = std::exchange(other.ring_, nullptr);
  index_ = other.index_;
  return *this;
}
FrameSlot::~FrameSlot() {
  give_back();
}

void FrameSlot::give_back() {
  if (ring_) ring_->give_back(index_);
  ring_.reset();
}

std::span<std::byte> FrameSlot::pixels() const {
  return ring_ ? ring_->pixels(index_) : std::span<std::byte>();
}

StreamCore::StreamCore(const StreamOptions& options)
    : options_(options),
      poll_(checked(::epoll_create1(EPOLL_CLOEXEC), "cannot make a stream's epoll set")),
      wake_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "cannot make a stream's eventfd")) {
  add_to(poll_, wake_);
}

void StreamCore::attach(const sdbus::UnixFd& memory, sdbus::UnixFd doorbell) {
  auto ring = std::make_shared<Ring>(memory);
  const std::lock_guard lock(mutex_);
  drop_ring();
  add_to(poll_, doorbell);
  ring_ = std::move(ring);
  doorbell_ = std::move(doorbell);
  wake();  // slots are free again
}

void StreamCore::end(const std::string& reason) {
  const std::lock_guard lock(mutex_);
  if (ended_) return;
  drop_ring();
  ended_ = reason;
  wake();
}

void StreamCore::wake() const {
  ::eventfd_write(wake_.get(), 1);
}

void StreamCore::check_alive() const {
  if (ended_) throw Error(ErrorCode::kCancelled, "the stream has ended: " + *ended_);
}

void StreamCore::cancel(std::uint64_t sequence) {
  finished_.push_back({.sequence = sequence,
                       .error = Error(ErrorCode::kCancelled, "the service went away before it answered")});
}

/// Saves what the ring still holds; nothing more will come of it.
void StreamCore::drop_ring() {
  if (!ring_) return;
  ::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, doorbell_.get(), nullptr);
  doorbell_.reset();
  while (auto result = ring_->take()) finished_.push_back(std::move(*result));
  for (const auto sequence : ring_->in_flight()) cancel(sequence);
  ring_.reset();
  wake();
}

/// Takes the bells off: the slots must be looked at afterwards.
void StreamCore::listen() {
  eventfd_t ignored = 0;
  ::eventfd_read(wake_.get(), &ignored);
  if (ring_ && dofa_doorbell_drain(doorbell_.get()) != 0) drop_ring();
}

std::optional<StreamResult> StreamCore::take() {
  if (!finished_.empty()) {
    auto result = std::move(finished_.front());
    finished_.pop_front();
    return result;
  }
  return ring_ ? ring_->take() : std::nullopt;
}

std::optional<FrameSlot> StreamCore::try_acquire() {
  const std::lock_guard lock(mutex_);
  check_alive();
  const auto index = ring_ ? ring_->claim() : std::nullopt;
  if (!index) return std::nullopt;
  return FrameSlot(ring_, *index);
}

void StreamCore::count_given_up() {
  const std::lock_guard lock(mutex_);
  if (ring_) ring_->count_refused();
}

std::uint64_t StreamCore::submit(FrameSlot slot, const Submission& submission) {
  if (!slot.ring_) throw Error(ErrorCode::kInvalidArgument, "the slot was submitted already");
  const std::lock_guard lock(mutex_);
  const std::uint64_t sequence = next_sequence_++;
  if (slot.ring_ != ring_) {  // drawn into a ring that has gone meanwhile
    cancel(sequence);
    wake();
    return sequence;
  }
  dofa_frame frame{};
  frame.sequence = sequence;
  frame.deadline_us = submission.deadline_us;
  frame.format = ring_->head().format;
  frame.width = ring_->head().width;
  frame.height = ring_->head().height;
  frame.stride = ring_->head().stride;
  if (submission.shape) {
    frame.format = static_cast<std::uint32_t>(submission.shape->format);
    frame.width = submission.shape->width;
    frame.height = submission.shape->height;
    frame.stride = submission.shape->stride;
  }
  ring_->publish(slot.index_, frame);
  slot.ring_.reset();  // no longer ours to give back
  if (dofa_doorbell_ring(doorbell_.get()) != 0) drop_ring();
  return sequence;
}

std::optional<StreamResult> StreamCore::try_take() {
  const std::lock_guard lock(mutex_);
  listen();
  auto result = take();
  // The bells of what is left were taken off too. An ended stream stays readable: it has that to say.
  if (ended_ || !finished_.empty() || (ring_ && ring_->has_result())) wake();
  if (!result) check_alive();
  return result;
}

std::optional<StreamResult> StreamCore::wait(std::chrono::microseconds timeout) {
  const bool forever = timeout.count() < 0;
  const auto deadline = Clock::now() + (forever ? std::chrono::microseconds(0) : timeout);
  for (;;) {
    if (auto result = try_take()) return result;
    pollfd bell{.fd = poll_.get(), .events = POLLIN, .revents = 0};
    const timespec limit = time_until(deadline);
    if (::ppoll(&bell, 1, forever ? nullptr : &limit, nullptr) < 0 && errno != EINTR)
      throw Error(ErrorCode::kFailed, "cannot wait: " + std::generic_category().message(errno));
    if (!forever && bell.revents == 0 && Clock::now() >= deadline) return std::nullopt;
  }
}

Stream::Impl::Impl(std::shared_ptr<StreamCore> its_core, std::function<void(const StreamResult&)> on_result)
    : core(std::move(its_core)) {
  if (!on_result) return;
  deliverer = std::thread([core = core, gate = gate, on_result = std::move(on_result)] {
    try {
      for (;;) {
        const auto result = core->wait(std::chrono::microseconds(-1));
        if (result) gate->pass([&] { on_result(*result); });
      }
    } catch (const Error&) {
      // The stream has ended, and everything was delivered.
    }
  });
}

Stream::Impl::~Impl() {
  gate->close();
  core->end("closed by the application");
  if (!deliverer.joinable()) return;
  if (deliverer.get_id() == std::this_thread::get_id()) {
    deliverer.detach();  // a handler let go of its own stream
  } else {
    deliverer.join();
  }
}

Stream::Stream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;
Stream::~Stream() = default;

std::optional<FrameSlot> Stream::try_acquire() {
  return impl_->core->try_acquire();
}
void Stream::count_given_up() {
  impl_->core->count_given_up();
}
std::uint64_t Stream::submit(FrameSlot slot, const Submission& submission) {
  return impl_->core->submit(std::move(slot), submission);
}
std::optional<StreamResult> Stream::try_take() {
  return impl_->core->try_take();
}
std::optional<StreamResult> Stream::wait(std::chrono::microseconds timeout) {
  return impl_->core->wait(std::max(timeout, std::chrono::microseconds(0)));
}
int Stream::fd() const {
  return impl_->core->fd();
}

}  // namespace dofa::client

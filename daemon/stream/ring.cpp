// SPDX-License-Identifier: Apache-2.0
#include "daemon/stream/ring.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

namespace dofa::stream {
namespace {

constexpr std::uint32_t status_of(ErrorCode code) {
  return static_cast<std::uint32_t>(code) + 1;
}
static_assert(status_of(ErrorCode::kFailed) == DOFA_STATUS_FAILED);
static_assert(status_of(ErrorCode::kInvalidArgument) == DOFA_STATUS_INVALID_ARGUMENT);
static_assert(status_of(ErrorCode::kBusy) == DOFA_STATUS_BUSY);
static_assert(status_of(ErrorCode::kNotReady) == DOFA_STATUS_NOT_READY);
static_assert(status_of(ErrorCode::kNotSupported) == DOFA_STATUS_NOT_SUPPORTED);
static_assert(status_of(ErrorCode::kCancelled) == DOFA_STATUS_CANCELLED);
static_assert(status_of(ErrorCode::kMissedDeadline) == DOFA_STATUS_MISSED_DEADLINE);
static_assert(status_of(ErrorCode::kUnsatisfiable) == DOFA_STATUS_UNSATISFIABLE);
static_assert(status_of(ErrorCode::kResourceExhausted) == DOFA_STATUS_RESOURCE_EXHAUSTED);

/// Frames given up are counted a few a visit: the number is the application's to write.
constexpr std::uint64_t kMaxRefusedAtOnce = 64;

/// An honest application rings in vain at most once a frame: its slot was seen before its bell.
constexpr std::uint32_t kMaxFruitless = 32;

/// Taken off in one visit; twice what the buffer of a doorbell holds.
constexpr std::uint32_t kMostBells = 16;

std::uint64_t duration(std::int64_t us) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0));
}

/// All but the last byte of a field that is zero already.
void copy_text(std::span<char> field, std::string_view text) {
  std::copy_n(text.data(), std::min(text.size(), field.size() - 1), field.data());
}

dofa_result refusal(const Error& error) {
  dofa_result result{};
  result.status = status_of(error.code);
  copy_text(result.message, error.message);
  return result;
}

}  // namespace

/// A slot as the daemon knows it.
class Ring::SlotFrame final : public control::Frame {
 public:
  void done(const Error* error, const control::FrameAnswer& result) noexcept override {
    const std::shared_ptr<Ring> ring = std::move(ring_);  // until the last line, this frame included
    ring->answer(*this, error, result);
  }

  std::shared_ptr<Ring> ring_;  ///< while the frame is on its way
  std::uint32_t index_ = 0;
  std::uint64_t sequence_ = 0;       ///< the application's
  std::atomic<bool> taken_ = false;  ///< ours: whatever its shared state says
};

Ring::Ring(control::Runtime& runtime, std::shared_ptr<control::Session> session, const RingLayout& layout,
           SharedMemory memory, control::UniqueFd doorbell)
    : runtime_(runtime),
      session_(std::move(session)),
      layout_(layout),
      memory_(std::move(memory)),
      doorbell_(std::move(doorbell)),
      frames_(layout.slots) {
  for (std::uint32_t index = 0; index < layout_.slots; ++index) {
    frames_[index].index_ = index;
    frames_[index].top_k = layout_.top_k;
  }
  const dofa_ring head = describe(layout_);
  std::memcpy(memory_.data(), &head, sizeof head);
}

Ring::~Ring() {
  if (!pixels_over_) return;
  for (std::uint32_t index = 0; index < layout_.slots; ++index)
    memory_.release(static_cast<std::uint64_t>(slot_at(index) - memory_.data()) + layout_.pixels_offset,
                    layout_.pixels_bytes);
}

std::byte* Ring::slot_at(std::uint32_t index) const {
  return memory_.data() + layout_.slots_offset + index * layout_.slot_bytes;
}

dofa_slot& Ring::head_of(std::uint32_t index) const {
  return *reinterpret_cast<dofa_slot*>(slot_at(index));
}

Ring::Bells Ring::take_bells_off() const {
  Bells bells;
  while (bells.count < kMostBells) {
    char bell = 0;
    const ssize_t got = recv(doorbell_.get(), &bell, sizeof bell, MSG_DONTWAIT);
    if (got <= 0) {
      bells.hung_up = got == 0 || (errno != EAGAIN && errno != EINTR);
      break;
    }
    ++bells.count;
  }
  return bells;
}

Ring::Visit Ring::visit() {
  const std::lock_guard lock(visiting_);
  const Bells bells = take_bells_off();
  if (bells.count == 0) {
    if (bells.hung_up) return Visit::kGone;
    return fruitless_ < kMaxFruitless ? Visit::kServed : Visit::kNuisance;  // taken off by another visit
  }
  count_refused();
  bool took = false;
  for (std::uint32_t n = 0, first = next_; n < layout_.slots; ++n) {
    const std::uint32_t index = (first + n) % layout_.slots;
    if (frames_[index].taken_.load(std::memory_order_acquire)) continue;
    if (dofa_slot_state(&head_of(index)) != DOFA_SLOT_SUBMITTED) continue;
    next_ = (index + 1) % layout_.slots;
    took |= take(index);
  }
  fruitless_ = took ? 0 : fruitless_ + bells.count;
  // Where bells may be left, nobody would hear of them again but by muting and listening anew.
  return fruitless_ < kMaxFruitless && bells.count < kMostBells ? Visit::kServed : Visit::kNuisance;
}

void Ring::count_refused() {
  auto& head = *reinterpret_cast<dofa_ring*>(memory_.data());
  const std::uint64_t refused = __atomic_load_n(&head.refused, __ATOMIC_RELAXED);
  const std::uint64_t more = std::min(refused - refused_, kMaxRefusedAtOnce);
  if (more == 0) return;
  refused_ += more;
  session_->count_refused(more);
}

bool Ring::take(std::uint32_t index) {
  SlotFrame& frame = frames_[index];
  dofa_slot& slot = head_of(index);
  const dofa_frame header = copy_frame_header(slot.frame);
  const auto checked = check_frame_header(header, layout_.pixels_bytes);
  frame.sequence_ = header.sequence;
  if (!checked) {
    answer(frame, &checked.error(), frame.answer);
    return false;
  }
  frame.image = {slot_at(index) + layout_.pixels_offset, checked->layout};
  frame.relative_deadline_us = checked->deadline_us;
  frame.ring_ = shared_from_this();
  frame.taken_.store(true, std::memory_order_relaxed);  // only visitors ask, and they have the lock
  dofa_slot_set_state(&slot, DOFA_SLOT_TAKEN);
  const auto submitted = runtime_.submit(session_, frame);
  if (!submitted) frame.done(&submitted.error(), frame.answer);
  return submitted.ok();
}

void Ring::answer(const SlotFrame& frame, const Error* error, const control::FrameAnswer& answer) {
  // Built here and copied out whole: nothing is read back from memory that the application can change.
  dofa_result result = error != nullptr ? refusal(*error) : dofa_result{};
  result.sequence = frame.sequence_;
  if (error == nullptr) {
    std::byte* slot = slot_at(frame.index_);
    const std::uint32_t tops = std::min(answer.top_count, layout_.top_k);
    auto* top = reinterpret_cast<dofa_top*>(slot + layout_.top_offset);
    for (std::uint32_t i = 0; i < tops; ++i) top[i] = {answer.top[i].index, answer.top[i].probability};
    const auto raw = answer.logits.first(std::min<std::size_t>(answer.logits.size(), layout_.raw_floats));
    std::copy(raw.begin(), raw.end(), reinterpret_cast<float*>(slot + layout_.raw_offset));
    result.arrival_us = duration(frame.arrival_us);
    result.queue_us = duration(answer.queue_us);
    result.service_us = duration(control::now_us() - frame.arrival_us - answer.queue_us);
    result.preprocess_us = duration(answer.preprocess_us);
    result.inference_us = duration(answer.inference_us);
    if (answer.late) result.flags |= DOFA_RESULT_LATE;
    if (frame.background) result.flags |= DOFA_RESULT_BACKGROUND;
    result.level = answer.level;
    result.top_count = tops;
    result.raw_count = static_cast<std::uint32_t>(raw.size());
    copy_text(result.processor, answer.processor);
  }
  publish(frame.index_, result);
}

void Ring::publish(std::uint32_t index, const dofa_result& result) {
  std::memcpy(slot_at(index) + layout_.result_offset, &result, sizeof result);
  // Ours no longer, before the application may submit it again: it would go unseen otherwise.
  frames_[index].taken_.store(false, std::memory_order_release);
  dofa_slot_set_state(&head_of(index), DOFA_SLOT_DONE);
  (void)dofa_doorbell_ring(doorbell_.get());  // one that nobody hears is the application's loss
}

void Ring::hang_up() const {
  shutdown(doorbell_.get(), SHUT_RDWR);
}

bool Ring::application_gone() const {
  pollfd state{doorbell_.get(), POLLRDHUP, 0};
  return poll(&state, 1, 0) > 0;
}

}  // namespace dofa::stream

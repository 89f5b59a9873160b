// SPDX-License-Identifier: Apache-2.0
#include "daemon/bus/session_object.hpp"

#include <limits>
#include <optional>

#include "daemon/bus/caller.hpp"
#include "daemon/bus/family_object.hpp"
#include "daemon/bus/guard.hpp"
#include "daemon/bus/memfd.hpp"

namespace dofa::bus {
namespace {

/// One Infer call on its way: owns the mapping and the reply, and itself while it is submitted.
class InferFrame final : public control::Frame, public Replies::Reply {
 public:
  InferFrame(std::shared_ptr<Replies> replies, MappedFrame pixels, PinnedMemory::Lease lease,
             SessionObject::InferReply reply, const FrameFormat& format,
             std::shared_ptr<control::Session> asked_of)
      : replies_(std::move(replies)),
        lease_(std::move(lease)),
        pixels_(std::move(pixels)),
        reply_(std::move(reply)),
        asked_of_(std::move(asked_of)) {
    image = {pixels_.data(), format.layout};
    top_k = format.top_k;
    relative_deadline_us = format.deadline_us;
  }

  /// `result` is this frame's own `answer`; of what it refers to, nothing outlives this call.
  void done(const Error* error, const control::FrameAnswer& result) noexcept override {
    if (error != nullptr) error_ = *error;
    processor_ = result.processor;
    const std::shared_ptr<Replies> replies = replies_;  // this frame may be gone before post() returns
    replies->post(std::unique_ptr<Replies::Reply>(this));
  }

  void send() noexcept override {
    guard_async("Infer", reply_, [&] {
      if (error_) throw to_dbus(*error_);
      std::vector<sdbus::Struct<std::uint32_t, double>> top;
      for (std::uint32_t i = 0; i < answer.top_count; ++i) {
        top.emplace_back(
            std::make_tuple(answer.top[i].index, static_cast<double>(answer.top[i].probability)));
      }
      reply_.returnResults(top, info(answer));
    });
  }

 private:
  [[nodiscard]] Dictionary info(const control::FrameAnswer& result) const {
    const auto time = [](std::int64_t us) {
      return sdbus::Variant{static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0))};
    };
    return {{"sequence", sdbus::Variant{result.sequence}},
            {"level", sdbus::Variant{result.level}},
            {"subnet", sdbus::Variant{asked_of_->family().family->levels()[result.level].name}},
            {"processor", sdbus::Variant{processor_}},
            {"late", sdbus::Variant{result.late}},
            {"queue-us", time(result.queue_us)},
            {"preprocess-us", time(result.preprocess_us)},
            {"inference-us", time(result.inference_us)}};
  }

  const std::shared_ptr<Replies> replies_;
  std::optional<Error> error_;
  std::string processor_;      // short: it allocates nothing
  PinnedMemory::Lease lease_;  // given back after the memory
  MappedFrame pixels_;
  SessionObject::InferReply reply_;
  std::shared_ptr<control::Session> asked_of_;
};

}  // namespace

SessionObject::SessionObject(sdbus::IConnection& connection, control::Runtime& runtime,
                             control::StreamGate& streams, Authority& authority, InferParts parts,
                             std::shared_ptr<control::Session> session)
    : AdaptorInterfaces(connection, sdbus::ObjectPath{path_of(*session)}),
      runtime_(runtime),
      streams_(streams),
      authority_(authority),
      infer_(std::move(parts)),
      session_(std::move(session)) {
  registerAdaptor();
  emitInterfacesAddedSignal();
}

SessionObject::~SessionObject() {
  unregisterAdaptor();
}

std::string SessionObject::path_of(const control::Session& session) {
  return std::string(proto::kSessionPathPrefix) + std::to_string(session.identity().id);
}

bool SessionObject::caller_is_owner() const {
  return caller_name(getObject()) == session_->identity().owner;
}

const engine::LevelInfo& SessionObject::level_info(std::uint32_t level) const {
  return session_->family().family->levels()[level];
}

template <class Act>
void SessionObject::as_owner_or(const Right& right, const char* member, sdbus::Result<>&& reply, Act act) {
  const auto held = keep(std::move(reply));
  const auto finish = [held, act = std::move(act)] {
    act();
    held->returnResults();
  };
  if (caller_is_owner()) return guard_async(member, *held, finish);
  as_administrator(authority_, getObject(), right, member, held, finish);
}

void SessionObject::SetContract(sdbus::Result<>&& reply, Dictionary changes) {
  // By the time polkit has decided, the session may have gone, and its object with it.
  as_owner_or(kSetContract, "SetContract", std::move(reply), [weak = weak_from_this(), changes] {
    const auto self = weak.lock();
    if (!self) throw to_dbus({ErrorCode::kCancelled, "the session is closed"});
    require(self->runtime_.set_contract(self->session_,
                                        require(apply_changes(self->session_->contract(), changes))));
    self->getObject().emitPropertiesChangedSignal(proto::InterfaceName{Adaptor::INTERFACE_NAME},
                                                  {proto::PropertyName{"Contract"}});
  });
}

void SessionObject::Infer(InferReply&& reply, sdbus::UnixFd frame, Dictionary format) {
  guard_async("Infer", reply, [&] {
    if (!caller_is_owner())
      throw to_dbus({ErrorCode::kNotAuthorized, "the session belongs to another connection"});
    const FrameFormat checked = require(parse_format(format));
    const auto limits = runtime_.limits();
    if (checked.bytes > limits.frame_bytes) {
      throw to_dbus({ErrorCode::kResourceExhausted, "limits.frame_bytes: " + std::to_string(checked.bytes) +
                                                        " bytes are more than " +
                                                        std::to_string(limits.frame_bytes)});
    }
    auto pixels = require(MappedFrame::map(frame.get(), checked.bytes));
    auto lease =
        infer_.pinned->take(session_->identity().uid, pixels.pinned_bytes(), limits.ring_bytes_per_uid);
    if (!lease) {
      throw to_dbus({ErrorCode::kResourceExhausted,
                     "limits.ring_bytes_per_uid: this user's waiting frames would keep more than " +
                         std::to_string(limits.ring_bytes_per_uid) + " bytes in memory"});
    }
    auto call = std::make_unique<InferFrame>(infer_.replies, std::move(pixels), std::move(*lease),
                                             std::move(reply), checked, session_);
    const auto submitted = runtime_.submit(session_, *call);
    InferFrame& mine = *call.release();  // done() passes it on, whatever happened
    if (!submitted) mine.done(&submitted.error(), mine.answer);
  });
}

std::tuple<sdbus::UnixFd, sdbus::UnixFd> SessionObject::OpenStream(const Dictionary& format) {
  return guard("OpenStream", [&] {
    if (!caller_is_owner())
      throw to_dbus({ErrorCode::kNotAuthorized, "the session belongs to another connection"});
    auto ends = require(streams_.open_stream(session_, require(parse_stream_request(format))));
    return std::make_tuple(sdbus::UnixFd{ends.ring.release(), sdbus::adopt_fd},
                           sdbus::UnixFd{ends.doorbell.release(), sdbus::adopt_fd});
  });
}

std::tuple<std::uint64_t, std::vector<SessionObject::FrameTuple>> SessionObject::RecentFrames(
    const std::uint64_t& after) {
  return guard("RecentFrames", [&] {
    const control::RecentFrames recent = session_->recent_frames(after);
    std::vector<FrameTuple> frames;
    frames.reserve(recent.frames.size());
    for (const control::FrameRecord& frame : recent.frames) {
      frames.emplace_back(std::make_tuple(static_cast<std::uint64_t>(frame.arrival_us), frame.queue_us,
                                          frame.service_us, frame.level,
                                          static_cast<std::uint8_t>(frame.outcome)));
    }
    return std::make_tuple(recent.next, std::move(frames));
  });
}

void SessionObject::Close(sdbus::Result<>&& reply) {
  as_owner_or(kCloseSession, "Close", std::move(reply),
              [&runtime = runtime_, session = session_] { runtime.close_session(session, "closed"); });
}

void SessionObject::announce_subnet(std::uint32_t from, const std::string& reason) {
  emitSubnetChanged(level_info(from).name, Subnet(), Processor(), reason);
  getObject().emitPropertiesChangedSignal(
      proto::InterfaceName{Adaptor::INTERFACE_NAME},
      {proto::PropertyName{"Subnet"}, proto::PropertyName{"Level"}, proto::PropertyName{"Accuracy"},
       proto::PropertyName{"Processor"}});
}

void SessionObject::announce_unmet(const std::string& reason,
                                   const std::optional<policy::Contract>& nearest) {
  emitContractUnmet(reason, nearest ? to_dictionary(*nearest) : Dictionary{});
}

void SessionObject::announce_closed(const std::string& reason) {
  emitClosed(reason);
  emitInterfacesRemovedSignal();
}

std::string SessionObject::Application() {
  return session_->identity().application;
}
std::string SessionObject::Owner() {
  return session_->identity().owner;
}
sdbus::ObjectPath SessionObject::Family() {
  return sdbus::ObjectPath{FamilyObject::path_of(session_->family().name)};
}
Dictionary SessionObject::Contract() {
  return to_dictionary(session_->contract());
}
std::string SessionObject::Subnet() {
  return level_info(session_->level()).name;
}
std::uint32_t SessionObject::Level() {
  return session_->level();
}
std::string SessionObject::Processor() {
  return session_->processor_name();
}
double SessionObject::Accuracy() {
  const auto& accuracy = level_info(session_->level()).accuracy;
  return accuracy ? accuracy->top1 : std::numeric_limits<double>::quiet_NaN();
}
std::uint64_t SessionObject::ExpectedLatency() {
  return static_cast<std::uint64_t>(session_->expected_latency_us());
}
std::uint64_t SessionObject::Frames() {
  return session_->stats().frames();
}
std::uint64_t SessionObject::MissedDeadlines() {
  return session_->stats().missed();
}
std::uint64_t SessionObject::Dropped() {
  return session_->stats().drops();
}
double SessionObject::Attainment() {
  const policy::SessionStats stats = session_->stats();
  return stats.frames() == 0 ? std::numeric_limits<double>::quiet_NaN() : stats.attainment();
}

Dictionary SessionObject::Statistics() {
  const policy::SessionStats stats = session_->stats();
  Dictionary out{{"dips", sdbus::Variant{stats.dips()}},
                 {"switches", sdbus::Variant{stats.switches()}},
                 {"switches-last-minute", sdbus::Variant{stats.switches_last_minute(control::now_us())}}};
  if (session_->family().profile()->accuracy_measured)
    out["mean-accuracy"] = sdbus::Variant{stats.mean_accuracy()};
  for (const auto& [name, share] : {std::pair{"p50", 0.5}, std::pair{"p95", 0.95}, std::pair{"p99", 0.99}}) {
    out[std::string("queue-us-") + name] = sdbus::Variant{stats.queue_us().quantile(share)};
    out[std::string("service-us-") + name] = sdbus::Variant{stats.service_us().quantile(share)};
  }
  return out;
}

}  // namespace dofa::bus

// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/client/fake_service.hpp"

#include <chrono>
#include <stdexcept>

#include "proto/names.hpp"
#include "tests/unit/client/fake_objects.hpp"

namespace dofa::test {

namespace {
constexpr auto kPatience = std::chrono::seconds(10);
}  // namespace

FakeService::FakeService(const std::string& address, std::map<std::string, std::string> failures)
    : failures_(std::move(failures)), connection_(sdbus::createSessionBusConnectionWithAddress(address)) {
  manager_ = std::make_unique<FakeManager>(*this, *connection_);
  family_ = std::make_unique<FakeFamily>(*connection_);
  connection_->requestName(proto::BusName{proto::kBusName});
  loop_ = std::thread([this] {
    try {
      connection_->enterEventLoop();
    } catch (const sdbus::Error&) {  // a test stopped the bus
    }
  });
}

FakeService::~FakeService() {
  connection_->leaveEventLoop();
  loop_.join();
  held_.clear();  // replies must go before their connection
}

void FakeService::fail(const std::string& member, const std::string& error_name) {
  const std::lock_guard lock(mutex_);
  if (error_name.empty()) {
    failures_.erase(member);
  } else {
    failures_[member] = error_name;
  }
}

void FakeService::hold_frames(bool hold) {
  const std::lock_guard lock(mutex_);
  hold_ = hold;
}

void FakeService::note(const std::string& member, const Dictionary& dictionary) {
  std::this_thread::sleep_for(stall_.load());
  const std::lock_guard lock(mutex_);
  ++seen_[member];
  if (!dictionary.empty()) last_dictionary_ = last_dictionaries_[member] = dictionary;
  changed_.notify_all();
  const auto failure = failures_.find(member);
  if (failure != failures_.end()) throw proto::error(failure->second, "told to fail");
}

bool FakeService::saw(const std::string& member, std::size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return seen_[member] >= count; });
}

std::size_t FakeService::seen(const std::string& member) {
  const std::lock_guard lock(mutex_);
  return seen_[member];
}

void FakeService::answer(InferReply&& reply, SeenFrame frame) {
  {
    const std::lock_guard lock(mutex_);
    last_frame_ = frame;
    if (hold_) {
      held_.emplace_back(std::move(reply), std::move(frame));
      changed_.notify_all();
      return;
    }
  }
  reply_to(reply, frame);
}

void FakeService::answer_held(std::size_t count) {
  decltype(held_) held;
  {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [&] { return held_.size() >= count; }))
      throw std::runtime_error("too few frames arrived");
    held.swap(held_);
  }
  for (auto one = held.rbegin(); one != held.rend(); ++one) reply_to(one->first, one->second);
}

/// The first byte of the pixels comes back as the best class, so that a test can tell answers apart.
void FakeService::reply_to(InferReply& reply, const SeenFrame& frame) {
  const std::uint32_t first = frame.pixels.empty() ? 0 : frame.pixels.front();
  reply.returnResults(
      {sdbus::Struct<std::uint32_t, double>{first, 0.75}, sdbus::Struct<std::uint32_t, double>{1, 0.25}},
      {{"sequence", sdbus::Variant{std::uint64_t{9}}},
       {"level", sdbus::Variant{std::uint32_t{1}}},
       {"subnet", sdbus::Variant{std::string{"large"}}},
       {"processor", sdbus::Variant{std::string{"cpu"}}},
       {"late", sdbus::Variant{true}},
       {"queue-us", sdbus::Variant{std::uint64_t{10}}},
       {"preprocess-us", sdbus::Variant{std::uint64_t{200}}},
       {"inference-us", sdbus::Variant{std::uint64_t{3000}}}});
}

std::string FakeService::open_session(const std::string& application, const Dictionary& contract) {
  std::string id;
  {
    const std::lock_guard lock(mutex_);
    id = std::to_string(next_session_++);
  }
  // Not under the lock: the bus's own is taken here, and held while a call comes in.
  auto session = std::make_shared<FakeSession>(*this, id, application, contract);
  const std::lock_guard lock(mutex_);
  sessions_[id] = std::move(session);
  return id;
}

void FakeService::record_frame(const FrameTuple& frame) {
  const std::lock_guard lock(mutex_);
  frames_.push_back(frame);
}

std::tuple<std::uint64_t, std::vector<FrameTuple>> FakeService::frames_after(std::uint64_t after) {
  const std::lock_guard lock(mutex_);
  const auto first = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(after, frames_.size()));
  return {frames_.size(), {frames_.begin() + first, frames_.end()}};
}

void FakeService::emit_subnet_changed(const std::string& session, const std::string& to) {
  sessions_.at(session)->change_subnet(to);
}
void FakeService::emit_contract_unmet(const std::string& session) {
  sessions_.at(session)->report_unmet();
}

void FakeService::close_session(const std::string& session, const std::string& reason) {
  std::shared_ptr<FakeSession> ended;
  {
    const std::lock_guard lock(mutex_);
    const auto found = sessions_.find(session);
    if (found == sessions_.end()) return;
    ended = closed_.emplace_back(found->second);
    sessions_.erase(found);
  }
  ended->end(reason);
}

std::shared_ptr<FakeStream> FakeService::make_stream(const Dictionary& format) {
  const std::lock_guard lock(mutex_);
  streams_.push_back(std::make_shared<FakeStream>(format, spoil_));
  if (alter_) streams_.back()->alter(alter_);
  return streams_.back();
}

void FakeService::alter_streams(std::function<void(dofa_result&)> alter) {
  const std::lock_guard lock(mutex_);
  alter_ = std::move(alter);
}

void FakeService::take_to_profile(int looks) {
  family_->take(looks);
}

void FakeService::spoil_rings(FakeStream::Spoil spoil) {
  const std::lock_guard lock(mutex_);
  spoil_ = std::move(spoil);
}

std::shared_ptr<FakeStream> FakeService::stream() {
  const std::lock_guard lock(mutex_);
  return streams_.at(streams_.size() - 1);
}

Dictionary FakeService::last_dictionary_of(const std::string& member) {
  const std::lock_guard lock(mutex_);
  return last_dictionaries_[member];
}

Dictionary FakeService::last_dictionary() {
  const std::lock_guard lock(mutex_);
  return last_dictionary_;
}

SeenFrame FakeService::last_frame() {
  const std::lock_guard lock(mutex_);
  return last_frame_;
}

}  // namespace dofa::test

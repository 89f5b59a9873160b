// SPDX-License-Identifier: Apache-2.0
// A stand-in for polkitd on a test's bus, with a connection and thread of its own: says yes, no, or nothing
// until told to. Thread-safe. On a bus of kind kSystem it needs a policy that lets it own its name.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "dbus/authority_adaptor.hpp"
#include "proto/compat.hpp"

namespace dofa::test {

class FakePolkit {
 public:
  enum class Mood { kAllows, kDenies, kHangs };

  FakePolkit(const std::string& bus, Mood mood)
      : connection_(sdbus::createSessionBusConnectionWithAddress(bus)) {
    object_ = std::make_unique<Object>(*connection_, mood);
    connection_->requestName(proto::BusName{"org.freedesktop.PolicyKit1"});
    loop_ = std::thread([this] { connection_->enterEventLoop(); });
  }
  ~FakePolkit() {
    connection_->leaveEventLoop();
    loop_.join();
  }
  FakePolkit(const FakePolkit&) = delete;
  FakePolkit& operator=(const FakePolkit&) = delete;

  /// What it is asked next, it answers so.
  void set_mood(Mood mood) { object_->set_mood(mood); }
  /// Answers what it was silent about.
  void answer_held(bool allowed) { object_->answer_held(allowed); }
  /// "ACTION of BUS-NAME", one a question.
  [[nodiscard]] std::vector<std::string> asked() { return object_->asked(); }

 private:
  using Details = std::map<std::string, std::string>;
  using Answer = sdbus::Result<sdbus::Struct<bool, bool, Details>>;

  class Object final : public sdbus::AdaptorInterfaces<org::freedesktop::PolicyKit1::Authority_adaptor> {
   public:
    Object(sdbus::IConnection& connection, Mood mood)
        : AdaptorInterfaces(connection, sdbus::ObjectPath{"/org/freedesktop/PolicyKit1/Authority"}),
          mood_(mood) {
      registerAdaptor();
    }
    ~Object() { unregisterAdaptor(); }

    void set_mood(Mood mood) {
      const std::lock_guard lock(mutex_);
      mood_ = mood;
    }
    std::vector<std::string> asked() {
      const std::lock_guard lock(mutex_);
      return asked_;
    }
    void answer_held(bool allowed) {
      std::vector<Answer> held;
      {
        const std::lock_guard lock(mutex_);
        held.swap(held_);
      }
      // Without the lock: the bus library takes one of its own, which it holds while it asks us.
      for (auto& answer : held) reply(answer, allowed);
    }

   private:
    void CheckAuthorization(Answer&& answer,
                            sdbus::Struct<std::string, std::map<std::string, sdbus::Variant>> subject,
                            std::string action, Details, std::uint32_t, std::string) override {
      const std::lock_guard lock(mutex_);
      asked_.push_back(action + " of " + std::get<1>(subject).at("name").get<std::string>());
      if (mood_ == Mood::kHangs) {
        held_.push_back(std::move(answer));
      } else {
        reply(answer, mood_ == Mood::kAllows);
      }
    }
    static void reply(Answer& answer, bool allowed) {
      answer.returnResults(sdbus::Struct<bool, bool, Details>{allowed, false, Details{}});
    }

    std::mutex mutex_;
    Mood mood_;
    std::vector<std::string> asked_;
    std::vector<Answer> held_;
  };

  std::unique_ptr<sdbus::IConnection> connection_;
  std::unique_ptr<Object> object_;
  std::thread loop_;
};

}  // namespace dofa::test

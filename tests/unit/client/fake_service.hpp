// SPDX-License-Identifier: Apache-2.0
// A stand-in for dofad on a bus: the generated adaptors with answers that a test chooses, and a record of
// what arrived. One family, "pets", of two levels. Thread-safe; lives on a connection and thread of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "dbus/family_adaptor.hpp"
#include "dbus/manager_adaptor.hpp"
#include "dbus/session_adaptor.hpp"
#include "proto/compat.hpp"
#include "tests/unit/client/fake_stream.hpp"

namespace dofa::test {

using InferReply = sdbus::Result<std::vector<sdbus::Struct<std::uint32_t, double>>, Dictionary>;

/// One of RecentFrames.
using FrameTuple = sdbus::Struct<std::uint64_t, std::uint32_t, std::uint32_t, std::uint32_t, std::uint8_t>;

class FakeSession;
class FakeManager;
class FakeFamily;

/// What one Infer call brought.
struct SeenFrame {
  int seals = 0;  ///< of the memfd
  std::vector<unsigned char> pixels;
  Dictionary format;
};

class FakeService {
 public:
  /// `failures`: as told to fail(), from the start.
  explicit FakeService(const std::string& address, std::map<std::string, std::string> failures = {});
  ~FakeService();

  /// Calls to fail from now on, by member: the D-Bus error's full name, "" for none.
  void fail(const std::string& member, const std::string& error_name);
  /// Calls that are noted are answered that much later from now on, and nothing meanwhile.
  void stall(std::chrono::milliseconds time) { stall_ = time; }
  /// Infer calls are answered at once, or kept until answer_held().
  void hold_frames(bool hold);
  /// Waits until `count` calls are kept, then answers them, the last one first.
  void answer_held(std::size_t count);
  /// Opens a session that belongs to nobody here; its number.
  std::string open_session(const std::string& application, const Dictionary& contract);
  /// One more for RecentFrames, of every session.
  void record_frame(const FrameTuple& frame);
  void emit_subnet_changed(const std::string& session, const std::string& to);
  void emit_contract_unmet(const std::string& session);
  /// Ends a session as the service would: Closed, then InterfacesRemoved.
  void close_session(const std::string& session, const std::string& reason);

  /// How many looks at the family ProfileFamily takes until it is measured (2 unless told otherwise).
  void take_to_profile(int looks);

  /// Done to the head of each ring from now on, before it is given away.
  void spoil_rings(FakeStream::Spoil spoil);
  /// As FakeStream::alter(), for every stream opened from now on.
  void alter_streams(std::function<void(dofa_result&)> alter);
  /// The stream opened last.
  [[nodiscard]] std::shared_ptr<FakeStream> stream();

  /// Waits until a call of that member was seen `count` times.
  bool saw(const std::string& member, std::size_t count = 1);
  /// How many calls of that member were seen so far.
  [[nodiscard]] std::size_t seen(const std::string& member);
  [[nodiscard]] Dictionary last_dictionary();  ///< of the last call that brought one
  [[nodiscard]] Dictionary last_dictionary_of(const std::string& member);
  [[nodiscard]] SeenFrame last_frame();

 private:
  friend class FakeSession;
  friend class FakeManager;

  std::tuple<std::uint64_t, std::vector<FrameTuple>> frames_after(std::uint64_t after);
  std::shared_ptr<FakeStream> make_stream(const Dictionary& format);
  void note(const std::string& member, const Dictionary& dictionary = {});
  void answer(InferReply&& reply, SeenFrame frame);
  static void reply_to(InferReply& reply, const SeenFrame& frame);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::string> failures_;
  std::map<std::string, std::size_t> seen_;
  Dictionary last_dictionary_;
  std::map<std::string, Dictionary> last_dictionaries_;  ///< by member
  SeenFrame last_frame_;
  std::vector<FrameTuple> frames_;
  bool hold_ = false;
  std::atomic<std::chrono::milliseconds> stall_ = std::chrono::milliseconds(0);
  std::vector<std::pair<InferReply, SeenFrame>> held_;
  std::vector<std::shared_ptr<FakeStream>> streams_;
  FakeStream::Spoil spoil_;
  std::function<void(dofa_result&)> alter_;

  std::unique_ptr<sdbus::IConnection> connection_;
  std::unique_ptr<FakeManager> manager_;
  std::unique_ptr<FakeFamily> family_;
  std::map<std::string, std::shared_ptr<FakeSession>> sessions_;
  std::vector<std::shared_ptr<FakeSession>>
      closed_;  ///< destroyed with the service: Close is still running in them
  std::size_t next_session_ = 7;
  std::thread loop_;
};

}  // namespace dofa::test

// SPDX-License-Identifier: Apache-2.0
// libdofa-client: talk to dofad, the inference service.
//
//   auto client = dofa::client::Client::connect();
//   auto session = client.open_session("doorbell", "mobilenet_v1", {.latency_budget_us = 30'000});
//   auto answer = session.infer({.pixels = pixels, .width = 640, .height = 480});
//
// Thread-safety: every member of Client and Session may be called from any thread at the same time, except
// that nobody may be inside an object while it is moved from or destroyed. Handlers run one after the other
// on a thread of the client's; they may call anything here, and hold up only later handlers. An exception
// that leaves a handler is dropped. No handler of a Session or Watch runs once its destructor has returned
// (destroying it from within its own handler is allowed). Sessions and watches keep their connection alive by
// themselves.
//
// Every call throws dofa::client::Error. Linux only. Link with libdofa-client.
#pragma once

#include <dofa/client_types.hpp>
#include <dofa/stream.hpp>

#include <chrono>
#include <functional>
#include <future>
#include <memory>

namespace dofa::client {

class Connection;

struct ConnectOptions {
  std::string bus = "system";  ///< "system", "session" or a D-Bus address
  std::chrono::microseconds timeout =
      std::chrono::seconds(25);  ///< for each call that does not state its own
};

/// What may happen to one's own session. Any may be empty.
struct SessionHandlers {
  std::function<void(const SubnetChange&)> subnet_changed = {};
  /// `nearest` holds the contract keys that could be kept.
  std::function<void(const std::string& reason, const Contract& nearest)> contract_unmet = {};
  /// The session ended ("closed", "family unloaded"), or a restarted service did not take it again. With
  /// "service stopping" it may still be reopened.
  std::function<void(const std::string& reason)> closed = {};
  /// The service went away, however: calls fail until it is back.
  std::function<void()> lost = {};
  /// The service is back, and the session is open again: a new id(), the contract as this object last set it,
  /// statistics from zero, and its stream goes on.
  std::function<void()> reopened = {};
};

/// One connection to the service's session object. Movable. One that open_session() made is closed when it
/// goes, and opened again by itself when the service was restarted.
class DOFA_CLIENT_API Session {
 public:
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  [[nodiscard]] std::string id() const;
  /// All properties at this moment.
  [[nodiscard]] SessionInfo info() const;
  /// Changes the keys that are set or listed in `unset`; the others keep their values. All or nothing.
  void set_contract(const Contract& changes);

  /// What became of this session's last frames, whoever sent them: those after the first `after`. The
  /// service keeps 512; the others are lost.
  [[nodiscard]] RecentFrames recent_frames(std::uint64_t after) const;

  /// Copies the pixels into a sealed memfd and waits for the answer.
  Answer infer(const Frame& frame, const InferOptions& options = {});
  /// The same without waiting; calls may overlap. Errors come through the future. If the session object is
  /// destroyed first, the future throws kCancelled.
  std::future<Answer> infer_async(const Frame& frame, const InferOptions& options = {});
  /// The same with a handler, called exactly once unless this object is destroyed first. Throws (and never
  /// calls the handler) where the frame cannot be sent at all.
  void infer_async(const Frame& frame, const InferOptions& options,
                   std::function<void(const Outcome&)> handler);

  /// For more than a few frames a second; a session has one stream at a time. With `on_result`, it is called
  /// for each result, one after the other on a thread of the stream's, and nobody else takes results.
  [[nodiscard]] Stream open_stream(const StreamOptions& options,
                                   std::function<void(const StreamResult&)> on_result = {});

  /// Ends the session; frames still waiting get kCancelled.
  void close();

 private:
  friend class Client;
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Something that happened at the service, to anyone.
struct Event {
  enum class Kind {
    kServiceAppeared,
    kServiceVanished,
    kServiceChanged,  ///< `changes`
    kFamilyAdded,     ///< `family`
    kFamilyRemoved,   ///< `family`
    kFamilyChanged,   ///< `family`, `changes`
    kSessionOpened,   ///< `session`, and its `application` and `family`
    kSessionRemoved,  ///< `session`
    kSessionChanged,  ///< `session`, `changes`
    kSessionClosed,   ///< `session`, `reason`: the signal that precedes kSessionRemoved
    kSubnetChanged,   ///< `session`, `subnet_change`
    kContractUnmet,   ///< `session`, `reason`, `nearest`
  };
  Kind kind;
  std::string session = {};
  std::string application = {};
  std::string family = {};
  std::string reason = {};
  SubnetChange subnet_change = {};
  Contract nearest = {};
  std::map<std::string, std::string> changes = {};  ///< property name to its new value, in words
};

/// Reports events for as long as it lives. Movable.
class DOFA_CLIENT_API Watch {
 public:
  Watch(Watch&&) noexcept;
  Watch& operator=(Watch&&) noexcept;
  ~Watch();

 private:
  friend class Client;
  struct Impl;
  explicit Watch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class DOFA_CLIENT_API Client {
 public:
  /// Connects to the bus (kUnreachable where there is none). The service itself is first needed by the first
  /// call.
  static Client connect(const ConnectOptions& options = {});
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  [[nodiscard]] Service service() const;
  /// Sorted by name.
  [[nodiscard]] std::vector<Family> families() const;
  /// kNotFound where no family of that name is loaded.
  [[nodiscard]] Family family(const std::string& name) const;
  /// All sessions of everybody, in the order of their numbers.
  [[nodiscard]] std::vector<SessionInfo> sessions() const;

  Session open_session(const std::string& application, const std::string& family,
                       const Contract& contract = {}, SessionHandlers handlers = {});
  /// A handle on a session that exists already (kNotFound otherwise); the session outlives the handle.
  [[nodiscard]] Session session(const std::string& id) const;

  /// For administrators. Loads the family in `directory` (a path on the service's side); its name.
  std::string load_family(const std::string& directory);
  /// For administrators. `force` closes the sessions that use it.
  void unload_family(const std::string& name, bool force = false);
  /// For administrators. Has the family's levels measured anew; returns at once. Until that is done,
  /// family() shows the old figures as provisional.
  void profile_family(const std::string& name);
  /// For administrators. Reads the configuration again.
  void reload();

  /// Calls `handler` for every event from now on.
  [[nodiscard]] Watch watch(std::function<void(const Event&)> handler) const;

 private:
  explicit Client(std::shared_ptr<Connection> connection);
  std::shared_ptr<Connection> connection_;
};

}  // namespace dofa::client

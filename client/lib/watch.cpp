// SPDX-License-Identifier: Apache-2.0
// Watching everything: the service's name, its root object, and one proxy for each family and session as they
// come and go. The bus's thread only posts; everything else happens on the handlers' thread behind the gate,
// so State needs no lock of its own.
#include <map>
#include <utility>

#include "client/lib/connection.hpp"
#include "client/lib/errors.hpp"
#include "client/lib/presence.hpp"
#include "client/lib/session_proxy.hpp"
#include "proto/names.hpp"

namespace dofa::client {

namespace {

constexpr const char* kPropertiesInterface = "org.freedesktop.DBus.Properties";
using Changes = std::map<std::string, std::string>;
using OnChanges = std::function<void(const Changes&)>;

/// Hears PropertiesChanged of one object.
class PropertiesProxy final : public sdbus::ProxyInterfaces<> {
 public:
  PropertiesProxy(sdbus::IConnection& connection, const std::string& path, OnChanges on_changes)
      : ProxyInterfaces(connection, proto::BusName{proto::kBusName}, sdbus::ObjectPath{path}) {
    getProxy()
        .uponSignal("PropertiesChanged")
        .onInterface(kPropertiesInterface)
        .call([on_changes = std::move(on_changes)](const std::string& interface, const Dictionary& changed,
                                                   const std::vector<std::string>& invalidated) {
          if (!interface.starts_with(proto::kBusName)) return;
          Changes changes;
          for (const auto& [name, value] : changed) changes[name] = to_words(value);
          for (const auto& name : invalidated) changes[name] = "(changed)";
          on_changes(changes);
        });
    registerProxy();
  }
  ~PropertiesProxy() { unregisterProxy(); }
};

/// Hears objects come and go.
class ObjectsProxy final : public sdbus::ProxyInterfaces<sdbus::ObjectManager_proxy> {
 public:
  using OnAdded = std::function<void(const std::string& path, const Interfaces&)>;
  using OnRemoved = std::function<void(const std::string& path)>;
  ObjectsProxy(sdbus::IConnection& connection, OnAdded on_added, OnRemoved on_removed)
      : ProxyInterfaces(connection, proto::BusName{proto::kBusName}, sdbus::ObjectPath{proto::kRootPath}),
        on_added_(std::move(on_added)),
        on_removed_(std::move(on_removed)) {
    registerProxy();
  }
  ~ObjectsProxy() { unregisterProxy(); }

 private:
  void onInterfacesAdded(
      const sdbus::ObjectPath& path,
      const std::map<proto::InterfaceName, std::map<proto::PropertyName, sdbus::Variant>>& added) override {
    Interfaces interfaces;
    for (const auto& [name, properties] : added) interfaces[name] = plain(properties);
    on_added_(path, interfaces);
  }
  void onInterfacesRemoved(const sdbus::ObjectPath& path, const std::vector<proto::InterfaceName>&) override {
    on_removed_(path);
  }

  OnAdded on_added_;
  OnRemoved on_removed_;
};

bool is_session(const std::string& path) {
  return path.starts_with(proto::kSessionPathPrefix);
}
bool is_family(const std::string& path) {
  return path.starts_with(proto::kFamilyPathPrefix);
}

}  // namespace

class WatchState : public std::enable_shared_from_this<WatchState> {
 public:
  WatchState(std::shared_ptr<Connection> connection, std::function<void(const Event&)> handler)
      : connection_(std::move(connection)), handler_(std::move(handler)) {}

  /// Subscribes, then takes in what is there already. Throws sdbus::Error.
  void start();
  /// Afterwards no event is reported, and nothing of the bus is held: a task that is just ending on the
  /// handlers' thread may keep this object a moment longer, which must not keep the connection.
  void stop();

 private:
  struct Watched {
    std::string name;  ///< the family's name or the session's id
    std::unique_ptr<PropertiesProxy> properties;
    std::unique_ptr<SessionProxy> signals;  ///< sessions only
  };

  /// Runs `task` on the handlers' thread, unless the watch has ended by then.
  template <class Task>
  void later(Task task) {
    connection_->handlers()->post([weak = weak_from_this(), task = std::move(task)] {
      if (const auto self = weak.lock()) self->gate_.pass([&] { task(*self); });
    });
  }
  /// Always a task's last step: the handler may end the watch.
  void report(const Event& event) { handler_(event); }

  void take_in(const std::string& path, const Interfaces& interfaces, bool announce);
  void leave_out(const std::string& path);
  void presence_changed(bool present);
  SessionProxy::Signals signals_of(const std::string& id);

  std::shared_ptr<Connection> connection_;
  std::function<void(const Event&)> handler_;
  Gate gate_;
  std::unique_ptr<PresenceProxy> presence_;
  std::unique_ptr<ObjectsProxy> objects_;
  std::unique_ptr<PropertiesProxy> service_;
  std::map<std::string, Watched> watched_;  ///< by object path
};

void WatchState::start() {
  const Connection::Use in_use(*connection_);
  auto& bus = connection_->bus();
  presence_ = std::make_unique<PresenceProxy>(bus, [this](const std::string&, const std::string& new_owner) {
    later([present = !new_owner.empty()](WatchState& self) { self.presence_changed(present); });
  });
  objects_ = std::make_unique<ObjectsProxy>(
      bus,
      [this](const std::string& path, const Interfaces& interfaces) {
        later([=](WatchState& self) { self.take_in(path, interfaces, true); });
      },
      [this](const std::string& path) { later([=](WatchState& self) { self.leave_out(path); }); });
  service_ = std::make_unique<PropertiesProxy>(bus, proto::kRootPath, [this](const Changes& changes) {
    later([=](WatchState& self) { self.report({.kind = Event::Kind::kServiceChanged, .changes = changes}); });
  });
  later([objects = connection_->objects()](WatchState& self) {
    for (const auto& [path, interfaces] : objects) self.take_in(path, interfaces, false);
  });
}

void WatchState::stop() {
  gate_.close();
  watched_.clear();
  service_.reset();
  objects_.reset();
  presence_.reset();
  connection_.reset();
}

void WatchState::take_in(const std::string& path, const Interfaces& interfaces, bool announce) {
  if (watched_.contains(path)) return;
  const Connection::Use in_use(*connection_);
  Watched watched;
  Event event{.kind = Event::Kind::kFamilyAdded};
  if (is_family(path)) {
    const auto found = interfaces.find(org::dofa::Dofa1::Family_proxy::INTERFACE_NAME);
    if (found == interfaces.end()) return;
    watched.name = event.family = family_from(found->second).name;
    watched.properties = std::make_unique<PropertiesProxy>(
        connection_->bus(), path, [this, name = watched.name](const Changes& changes) {
          later([=](WatchState& self) {
            self.report({.kind = Event::Kind::kFamilyChanged, .family = name, .changes = changes});
          });
        });
  } else if (is_session(path)) {
    const auto found = interfaces.find(org::dofa::Dofa1::Session_proxy::INTERFACE_NAME);
    if (found == interfaces.end()) return;
    const auto session = session_from(last_part(path), found->second);
    const auto family = watched_.find(session.family);
    event.kind = Event::Kind::kSessionOpened;
    event.application = session.application;
    event.family = family == watched_.end() ? last_part(session.family) : family->second.name;
    watched.name = event.session = session.id;
    watched.properties = std::make_unique<PropertiesProxy>(
        connection_->bus(), path, [this, id = session.id](const Changes& changes) {
          later([=](WatchState& self) {
            self.report({.kind = Event::Kind::kSessionChanged, .session = id, .changes = changes});
          });
        });
    watched.signals = std::make_unique<SessionProxy>(connection_->bus(), path, signals_of(session.id), true);
  } else {
    return;
  }
  watched_.emplace(path, std::move(watched));
  if (announce) report(event);
}

SessionProxy::Signals WatchState::signals_of(const std::string& id) {
  return {
      .subnet_changed =
          [this, id](const SubnetChange& change) {
            later([=](WatchState& self) {
              self.report({.kind = Event::Kind::kSubnetChanged, .session = id, .subnet_change = change});
            });
          },
      .contract_unmet =
          [this, id](const std::string& reason, const Contract& nearest) {
            later([=](WatchState& self) {
              self.report(
                  {.kind = Event::Kind::kContractUnmet, .session = id, .reason = reason, .nearest = nearest});
            });
          },
      .closed =
          [this, id](const std::string& reason) {
            later([=](WatchState& self) {
              self.report({.kind = Event::Kind::kSessionClosed, .session = id, .reason = reason});
            });
          }};
}

void WatchState::leave_out(const std::string& path) {
  const auto found = watched_.find(path);
  if (found == watched_.end()) return;
  const std::string name = found->second.name;
  watched_.erase(found);
  if (is_family(path)) report({.kind = Event::Kind::kFamilyRemoved, .family = name});
  if (is_session(path)) report({.kind = Event::Kind::kSessionRemoved, .session = name});
}

void WatchState::presence_changed(bool present) {
  // Nothing outlives the service: no farewell of each object, and what comes back announces itself.
  if (!present) watched_.clear();
  report({.kind = present ? Event::Kind::kServiceAppeared : Event::Kind::kServiceVanished});
}

struct Watch::Impl {
  explicit Impl(std::shared_ptr<WatchState> its_state) : state(std::move(its_state)) {}
  ~Impl() { state->stop(); }
  std::shared_ptr<WatchState> state;
};

Watch::Watch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Watch::Watch(Watch&&) noexcept = default;
Watch& Watch::operator=(Watch&&) noexcept = default;
Watch::~Watch() = default;

Watch Client::watch(std::function<void(const Event&)> handler) const {
  return translated(connection_->timeout(), [&] {
    auto state = std::make_shared<WatchState>(connection_, std::move(handler));
    state->start();
    return Watch(std::make_unique<Watch::Impl>(std::move(state)));
  });
}

}  // namespace dofa::client

// SPDX-License-Identifier: Apache-2.0
#include "daemon/bus/service.hpp"

#include <algorithm>
#include <iterator>

#include "daemon/bus/guard.hpp"
#include "dbus/dbus_proxy.hpp"

namespace dofa::bus {

/// Tells when a bus connection has gone, so that its sessions go with it.
class OwnerWatch final : public sdbus::ProxyInterfaces<org::freedesktop::DBus_proxy> {
 public:
  OwnerWatch(sdbus::IConnection& connection, control::Runtime& runtime)
      : ProxyInterfaces(connection, proto::BusName{"org.freedesktop.DBus"},
                        sdbus::ObjectPath{"/org/freedesktop/DBus"}),
        runtime_(runtime) {
    registerProxy();
  }
  ~OwnerWatch() { unregisterProxy(); }

 private:
  void onNameOwnerChanged(const std::string& name, const std::string&,
                          const std::string& new_owner) override {
    guard("NameOwnerChanged", [&] {
      if (new_owner.empty()) runtime_.owner_gone(name);
    });
  }

  control::Runtime& runtime_;
};

namespace {

/// Signals are best effort: a bus that has gone is noticed, and told, by the bus thread.
template <class F>
void announce(const char* what, F&& emit) {
  try {
    emit();
  } catch (const sdbus::Error& error) {
    spdlog::debug("{} not announced: {}, ignoring", what, error.what());
  }
}

std::unique_ptr<sdbus::IConnection> connect(const std::string& bus) {
  if (bus == "system") return sdbus::createSystemBusConnection();
  if (bus == "session") return sdbus::createSessionBusConnection();
  return sdbus::createSessionBusConnectionWithAddress(bus);
}

}  // namespace

Service::Service(control::Runtime& runtime, control::StreamGate& streams, ServiceOptions options)
    : runtime_(runtime), streams_(streams), options_(std::move(options)), connection_(connect(options_.bus)) {
  authority_ = std::make_unique<Authority>([this] { return connect(options_.bus); });
  manager_ = std::make_unique<ManagerObject>(
      *connection_, runtime_, options_.version,
      ManagerHooks{
          [this](std::function<void()> task) { run_later(std::move(task)); }, options_.reload,
          [this](std::shared_ptr<control::Session> session) { return publish_session(std::move(session)); },
          authority_.get()});
  log_control_ = std::make_unique<LogControlObject>(*connection_);
  owner_watch_ = std::make_unique<OwnerWatch>(*connection_, runtime_);
  for (const auto& family : runtime_.families()) family_loaded(family);
  connection_->requestName(proto::BusName{proto::kBusName});
  runtime_.set_listener(this);  // nothing is called before the event loop runs
  task_thread_ = std::thread([this] { run_tasks(); });
  bus_thread_ = std::thread([this] {
    try {
      connection_->enterEventLoop();
    } catch (const std::exception& fault) {
      spdlog::critical("the bus connection is lost: {}", fault.what());
      options_.connection_lost();
    }
  });
}

Service::~Service() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  tasks_changed_.notify_all();
  task_thread_.join();
  infer_.replies->stop();
  connection_->leaveEventLoop();
  bus_thread_.join();
  authority_.reset();              // nobody asks any more; what polkit has not decided is answered
  runtime_.set_listener(nullptr);  // only now: those threads call through the runtime
}

void Service::announce_stopping() {
  announce("State", [this] { manager_->announce_stopping(); });
}

void Service::run_later(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) throw to_dbus({ErrorCode::kNotReady, "the service is stopping"});
    tasks_.push_back(std::move(task));
  }
  tasks_changed_.notify_one();
}

void Service::run_tasks() {
  std::unique_lock lock(mutex_);
  while (true) {
    tasks_changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    const auto task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    lock.lock();
  }
}

std::string Service::publish_session(std::shared_ptr<control::Session> session) {
  auto object =
      std::make_shared<SessionObject>(*connection_, runtime_, streams_, *authority_, infer_, session);
  bool closed_meanwhile = false;
  {
    const std::lock_guard lock(mutex_);
    sessions_.emplace(session->identity().id, object);
    closed_meanwhile = session->closed();
  }
  // Another thread may have closed it before it had an object to announce that on.
  if (closed_meanwhile) session_closed(*session, session->close_reason());
  return SessionObject::path_of(*session);
}

void Service::session_closed(const control::Session& session, const std::string& reason) {
  streams_.close_stream(session);
  std::shared_ptr<SessionObject> object;
  {
    const std::lock_guard lock(mutex_);
    const auto at = sessions_.find(session.identity().id);
    if (at == sessions_.end()) return;
    object = at->second;
    closed_sessions_.push_back(object);
    sessions_.erase(at);
  }
  announce("Closed", [&] { object->announce_closed(reason); });
}

std::shared_ptr<SessionObject> Service::object_of(const control::Session& session) {
  const std::lock_guard lock(mutex_);
  const auto at = sessions_.find(session.identity().id);
  return at == sessions_.end() ? nullptr : at->second;
}

void Service::subnet_changed(const control::Session& session, std::uint32_t from, const std::string& reason) {
  if (const auto object = object_of(session))
    announce("SubnetChanged", [&] { object->announce_subnet(from, reason); });
}

void Service::contract_unmet(const control::Session& session, const std::string& reason,
                             const std::optional<policy::Contract>& nearest) {
  if (const auto object = object_of(session))
    announce("ContractUnmet", [&] { object->announce_unmet(reason, nearest); });
}

void Service::family_loaded(const std::shared_ptr<const control::LoadedFamily>& family) {
  auto object = std::make_shared<FamilyObject>(*connection_, family);
  const std::lock_guard lock(mutex_);
  families_.emplace(family->name, std::move(object));
}

void Service::family_unloaded(const std::string& name) {
  decltype(families_)::node_type object;
  {
    const std::lock_guard lock(mutex_);
    object = families_.extract(name);
  }
  if (!object.empty()) announce("InterfacesRemoved", [&] { object.mapped()->announce_removed(); });
}

void Service::family_profiled(const std::string& name) {
  std::shared_ptr<FamilyObject> object;
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = families_.find(name); at != families_.end()) object = at->second;
  }
  if (object) announce("Subnets", [&] { object->announce_profile(); });
}

void Service::collect() {
  std::vector<std::shared_ptr<SessionObject>> unused;  // destroyed after the lock is let go
  const std::lock_guard lock(mutex_);
  // One that another thread still announces something on waits for the next round.
  const auto in_use = [](const auto& object) { return object.use_count() > 1; };
  const auto first = std::partition(closed_sessions_.begin(), closed_sessions_.end(), in_use);
  unused.assign(std::make_move_iterator(first), std::make_move_iterator(closed_sessions_.end()));
  closed_sessions_.erase(first, closed_sessions_.end());
}

}  // namespace dofa::bus

// SPDX-License-Identifier: Apache-2.0
#include "client/lib/connection.hpp"

#include "client/lib/errors.hpp"
#include "proto/names.hpp"

namespace dofa::client {

namespace {

std::unique_ptr<sdbus::IConnection> open_bus(const std::string& bus) {
  try {
    if (bus == "system") return sdbus::createSystemBusConnection();
    if (bus == "session") return sdbus::createSessionBusConnection();
    return sdbus::createSessionBusConnectionWithAddress(bus);
  } catch (const sdbus::Error& error) {
    throw Error(ErrorCode::kUnreachable, "cannot reach the bus '" + bus + "': " + error.getMessage());
  }
}

}  // namespace

RootProxy::RootProxy(sdbus::IConnection& connection)
    : ProxyInterfaces(connection, proto::BusName{proto::kBusName}, sdbus::ObjectPath{proto::kRootPath}) {}

RootProxy::OpenedSession RootProxy::open_session(const std::string& application, const std::string& family,
                                                 const Dictionary& contract) {
  auto call =
      getProxy().createMethodCall(proto::InterfaceName{org::dofa::Dofa1::Manager_proxy::INTERFACE_NAME},
                                  proto::MethodName{"OpenSession"});
  call << application << family << contract;
  auto reply = getProxy().callMethod(call);
  sdbus::ObjectPath path;
  reply >> path;
  return {.path = path, .service = reply.getSender()};
}

FamilyProxy::FamilyProxy(sdbus::IConnection& connection, const std::string& path)
    : ProxyInterfaces(connection, proto::BusName{proto::kBusName}, sdbus::ObjectPath{path}) {}

Connection::Connection(const ConnectOptions& options)
    : timeout_(options.timeout), bus_(open_bus(options.bus)) {
  bus_->setMethodCallTimeout(timeout_);
  daemon_ = sdbus::createProxy(*bus_, proto::BusName{"org.freedesktop.DBus"},
                               sdbus::ObjectPath{"/org/freedesktop/DBus"});
  root_ = std::make_unique<RootProxy>(*bus_);
  // The library's own asynchronous loop would end the process when the bus goes away: it throws in its
  // thread.
  loop_ = std::thread([bus = bus_.get()] {
    try {
      bus->enterEventLoop();
    } catch (const std::exception&) {
      // The connection is gone. Calls in flight have been told so; later ones find out by themselves.
    }
  });
}

Connection::~Connection() {
  bus_->leaveEventLoop();
  loop_.join();
}

void Connection::wake() noexcept {
  try {  // the answer, even a refusal, is a message that the bus's thread wakes up for
    daemon_->callMethodAsync("Ping")
        .onInterface("org.freedesktop.DBus.Peer")
        .uponReplyInvoke([](proto::ReplyError) {});
  } catch (const std::exception&) {
    // The connection is gone: nothing is left to look at.
  }
}

std::map<std::string, Interfaces> Connection::objects() {
  std::map<std::string, Interfaces> objects;
  for (const auto& [path, interfaces] : root_->GetManagedObjects()) {
    for (const auto& [name, properties] : interfaces) objects[path][name] = plain(properties);
  }
  return objects;
}

}  // namespace dofa::client

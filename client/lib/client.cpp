// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "client/lib/connection.hpp"
#include "client/lib/errors.hpp"
#include "client/lib/session.hpp"
#include "proto/names.hpp"

namespace dofa::client {

namespace {

constexpr const char* kFamilyInterface = org::dofa::Dofa1::Family_proxy::INTERFACE_NAME;
constexpr const char* kSessionInterface = org::dofa::Dofa1::Session_proxy::INTERFACE_NAME;

std::string family_path(const std::map<std::string, Interfaces>& objects, const std::string& name) {
  for (const auto& [path, interfaces] : objects) {
    const auto found = interfaces.find(kFamilyInterface);
    if (found != interfaces.end() && family_from(found->second).name == name) return path;
  }
  throw Error(ErrorCode::kNotFound, "no family '" + name + "' is loaded");
}

/// What the family at `path` calls itself; the path's last part where it has gone meanwhile.
std::string family_name(const std::map<std::string, Interfaces>& objects, const std::string& path) {
  const auto object = objects.find(path);
  if (object == objects.end()) return last_part(path);
  const auto properties = object->second.find(kFamilyInterface);
  return properties == object->second.end() ? last_part(path) : family_from(properties->second).name;
}

/// Numbers in the order of their values, anything else after them by its letters.
bool comes_before(const SessionInfo& left, const SessionInfo& right) {
  if (left.id.size() != right.id.size()) return left.id.size() < right.id.size();
  return left.id < right.id;
}

}  // namespace

Client::Client(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Client Client::connect(const ConnectOptions& options) {
  return translated(options.timeout, [&] { return Client(std::make_shared<Connection>(options)); });
}

Service Client::service() const {
  return translated(connection_->timeout(), [&]() -> Service {
    const Connection::Use in_use(*connection_);
    auto& root = connection_->root();
    return {
        .version = root.Version(), .state = root.State(), .processors = processors_from(root.Processors())};
  });
}

std::vector<Family> Client::families() const {
  return translated(connection_->timeout(), [&] {
    const Connection::Use in_use(*connection_);
    std::vector<Family> families;
    for (const auto& [path, interfaces] : connection_->objects()) {
      const auto found = interfaces.find(kFamilyInterface);
      if (found != interfaces.end()) families.push_back(family_from(found->second));
    }
    std::ranges::sort(families, {}, &Family::name);
    return families;
  });
}

Family Client::family(const std::string& name) const {
  for (auto& family : families()) {
    if (family.name == name) return std::move(family);
  }
  throw Error(ErrorCode::kNotFound, "no family '" + name + "' is loaded");
}

std::vector<SessionInfo> Client::sessions() const {
  return translated(connection_->timeout(), [&] {
    const Connection::Use in_use(*connection_);
    const auto objects = connection_->objects();
    std::vector<SessionInfo> sessions;
    for (const auto& [path, interfaces] : objects) {
      const auto found = interfaces.find(kSessionInterface);
      if (found == interfaces.end()) continue;
      auto session = session_from(last_part(path), found->second);
      session.family = family_name(objects, session.family);
      sessions.push_back(std::move(session));
    }
    std::ranges::sort(sessions, comes_before);
    return sessions;
  });
}

Session Client::open_session(const std::string& application, const std::string& family,
                             const Contract& contract, SessionHandlers handlers) {
  return translated(connection_->timeout(), [&] {
    const Connection::Use in_use(*connection_);
    auto core = std::make_shared<SessionCore>(connection_, std::move(handlers));
    core->open({.application = application, .family = family, .contract = contract});
    return Session(std::make_unique<Session::Impl>(std::move(core)));
  });
}

Session Client::session(const std::string& id) const {
  return translated(connection_->timeout(), [&] {
    const Connection::Use in_use(*connection_);
    const std::string path = std::string(proto::kSessionPathPrefix) + id;
    // Asked for by its list, not by its path: an id with odd characters is just not there.
    if (!connection_->objects().contains(path))
      throw Error(ErrorCode::kNotFound, "there is no session '" + id + "'");
    auto core = std::make_shared<SessionCore>(connection_, SessionHandlers{});
    core->adopt(path);
    return Session(std::make_unique<Session::Impl>(std::move(core)));
  });
}

std::string Client::load_family(const std::string& directory) {
  return translated(connection_->timeout(), [&] {
    const Connection::Use in_use(*connection_);
    const auto path = connection_->root().LoadFamily(directory);
    return FamilyProxy(connection_->bus(), path).Name();
  });
}

void Client::unload_family(const std::string& name, bool force) {
  translated(connection_->timeout(), [&] {
    const Connection::Use in_use(*connection_);
    Dictionary options;
    if (force) options.emplace("force", sdbus::Variant{true});
    connection_->root().UnloadFamily(sdbus::ObjectPath{family_path(connection_->objects(), name)}, options);
  });
}

void Client::profile_family(const std::string& name) {
  translated(connection_->timeout(), [&] {
    const Connection::Use in_use(*connection_);
    connection_->root().ProfileFamily(name);
  });
}

void Client::reload() {
  translated(connection_->timeout(), [&] {
    const Connection::Use in_use(*connection_);
    connection_->root().Reload();
  });
}

}  // namespace dofa::client

// SPDX-License-Identifier: Apache-2.0
#include "daemon/bus/manager_object.hpp"

#include "daemon/bus/caller.hpp"
#include "daemon/bus/family_object.hpp"
#include "daemon/bus/guard.hpp"

namespace dofa::bus {
namespace {

void set_known(Dictionary& entry, const char* key, const std::optional<double>& value) {
  if (value) entry[key] = sdbus::Variant{*value};
}

void show_gpu(const control::GpuReading& gpu, Dictionary& entry) {
  set_known(entry, "load", gpu.load);
  set_known(entry, "others-load", gpu.others_load);
  set_known(entry, "frequency-mhz", gpu.frequency_mhz);
  set_known(entry, "temperature-celsius", gpu.temperature_celsius);
  set_known(entry, "power-watts", gpu.power_watts);
}

}  // namespace

ManagerObject::ManagerObject(sdbus::IConnection& connection, control::Runtime& runtime, std::string version,
                             ManagerHooks hooks)
    : AdaptorInterfaces(connection, sdbus::ObjectPath{proto::kRootPath}),
      runtime_(runtime),
      version_(std::move(version)),
      hooks_(std::move(hooks)) {
  registerAdaptor();
}

ManagerObject::~ManagerObject() {
  unregisterAdaptor();
}

void ManagerObject::announce_stopping() {
  stopping_ = true;
  getObject().emitPropertiesChangedSignal(
      proto::InterfaceName{org::dofa::Dofa1::Manager_adaptor::INTERFACE_NAME},
      {proto::PropertyName{"State"}});
}

sdbus::ObjectPath ManagerObject::OpenSession(const std::string& application, const std::string& family,
                                             const Dictionary& contract) {
  return guard("OpenSession", [&] {
    control::SessionRequest request{caller_name(getObject()), caller_uid(getObject()), application, family,
                                    require(parse_contract(contract))};
    return sdbus::ObjectPath{hooks_.publish_session(require(runtime_.open_session(std::move(request))))};
  });
}

void ManagerObject::LoadFamily(sdbus::Result<sdbus::ObjectPath>&& reply, std::string directory) {
  const auto held = keep(std::move(reply));
  as_administrator(*hooks_.authority, getObject(), kLoadFamily, "LoadFamily", held, [this, directory, held] {
    hooks_.run_later([this, directory, held] {
      guard_async("LoadFamily", *held, [&] {
        const auto family = require(runtime_.load_family(directory));
        held->returnResults(sdbus::ObjectPath{FamilyObject::path_of(family->name)});
      });
    });
  });
}

void ManagerObject::UnloadFamily(sdbus::Result<>&& reply, sdbus::ObjectPath path, Dictionary options) {
  const auto held = keep(std::move(reply));
  as_administrator(*hooks_.authority, getObject(), kUnloadFamily, "UnloadFamily", held,
                   [this, path, options, held] {
                     const bool force = require(parse_force(options));
                     hooks_.run_later([this, path, force, held] {
                       guard_async("UnloadFamily", *held, [&] {
                         unload(path, force);
                         held->returnResults();
                       });
                     });
                   });
}

void ManagerObject::unload(const sdbus::ObjectPath& path, bool force) {
  for (const auto& family : runtime_.families()) {
    if (FamilyObject::path_of(family->name) == path)
      return require(runtime_.unload_family(family->name, force));
  }
  throw to_dbus({ErrorCode::kNotFound, "no family is loaded at " + std::string(path)});
}

void ManagerObject::ProfileFamily(sdbus::Result<>&& reply, std::string name) {
  const auto held = keep(std::move(reply));
  as_administrator(*hooks_.authority, getObject(), kProfileFamily, "ProfileFamily", held, [this, name, held] {
    hooks_.run_later([this, name, held] {
      guard_async("ProfileFamily", *held, [&] {
        require(runtime_.profile_family(name));
        held->returnResults();
      });
    });
  });
}

void ManagerObject::Reload(sdbus::Result<>&& reply) {
  const auto held = keep(std::move(reply));
  as_administrator(*hooks_.authority, getObject(), kReload, "Reload", held, [this, held] {
    hooks_.run_later([this, held] {
      guard_async("Reload", *held, [&] {
        require(hooks_.reload());
        held->returnResults();
      });
    });
  });
}

std::string ManagerObject::Version() {
  return version_;
}
std::string ManagerObject::State() {
  return stopping_ ? "stopping" : "running";
}

std::map<std::string, Dictionary> ManagerObject::Processors() {
  std::map<std::string, Dictionary> processors;
  for (const control::ProcessorStatus& status : runtime_.processors()) {
    Dictionary& entry = processors[status.name];
    const auto show = [&](const char* key, const std::optional<double>& value) {
      set_known(entry, key, value);
    };
    entry["lanes"] = sdbus::Variant{status.lanes};
    entry["queue"] = sdbus::Variant{static_cast<std::uint32_t>(status.queue)};
    if (!status.simd.empty()) entry["simd"] = sdbus::Variant{status.simd};
    if (!status.model.empty()) entry["model"] = sdbus::Variant{status.model};
    if (!status.lost.empty()) entry["lost"] = sdbus::Variant{status.lost};
    show("slowdown", status.slowdown);
    show("load", status.machine.load);
    show("others-load", status.machine.others_load);
    show("frequency-mhz", status.machine.frequency_mhz);
    show("temperature-celsius", status.machine.temperature_celsius);
    show("power-watts", status.machine.power_watts);
    show("monitor-share", status.machine.sampler_share);
    for (const control::GpuReading& gpu : status.machine.gpus) show_gpu(gpu, processors["gpu:" + gpu.name]);
  }
  return processors;
}

}  // namespace dofa::bus

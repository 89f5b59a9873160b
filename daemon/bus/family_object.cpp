// SPDX-License-Identifier: Apache-2.0
#include "daemon/bus/family_object.hpp"

#include <cmath>

#include "proto/names.hpp"

namespace dofa::bus {

FamilyObject::FamilyObject(sdbus::IConnection& connection,
                           std::shared_ptr<const control::LoadedFamily> family)
    : AdaptorInterfaces(connection, sdbus::ObjectPath{path_of(family->name)}), family_(std::move(family)) {
  registerAdaptor();
  emitInterfacesAddedSignal();
}

FamilyObject::~FamilyObject() {
  unregisterAdaptor();
}

void FamilyObject::announce_profile() {
  getObject().emitPropertiesChangedSignal(
      proto::InterfaceName{org::dofa::Dofa1::Family_adaptor::INTERFACE_NAME},
      {proto::PropertyName{"Subnets"}});
}

std::string FamilyObject::path_of(const std::string& name) {
  return std::string(proto::kFamilyPathPrefix) + escape_path(name);
}

std::string FamilyObject::Name() {
  return family_->name;
}

std::string FamilyObject::Kind() {
  return family_->family->description().kind == config::FamilyKind::kTorchScript ? "torchscript"
                                                                                 : "ofa-mobilenetv3";
}

std::string FamilyObject::Task() {
  return family_->family->description().task;
}
std::vector<std::string> FamilyObject::Labels() {
  return family_->family->labels();
}
std::uint64_t FamilyObject::ResidentBytes() {
  return family_->family->resident_bytes();
}

std::vector<Dictionary> FamilyObject::Subnets() {
  std::vector<Dictionary> subnets;
  const auto profile = family_->profile();
  for (const engine::LevelInfo& level : family_->family->levels()) {
    Dictionary subnet{{"name", sdbus::Variant{level.name}},
                      {"level", sdbus::Variant{static_cast<std::uint32_t>(subnets.size())}},
                      {"resolution", sdbus::Variant{level.resolution}},
                      {"executor", sdbus::Variant{level.executor}}};
    for (std::uint32_t p = 0; p < family_->processors.size(); ++p) {
      const double latency_us = profile->levels[subnets.size()].time_us[p];
      if (latency_us <= 0) continue;  // it does not run there
      const std::string& processor = family_->processors[p];
      subnet["latency-us:" + processor] =
          sdbus::Variant{static_cast<std::uint64_t>(std::llround(latency_us))};
      subnet["provisional:" + processor] = sdbus::Variant{family_->provisional(p)};
    }
    if (level.macs != 0) subnet["macs"] = sdbus::Variant{level.macs};
    if (level.accuracy) {
      subnet["top1"] = sdbus::Variant{level.accuracy->top1};
      subnet["top5"] = sdbus::Variant{level.accuracy->top5};
      subnet["dataset"] = sdbus::Variant{level.accuracy->dataset};
      subnet["images"] = sdbus::Variant{level.accuracy->images};
    }
    subnets.push_back(std::move(subnet));
  }
  return subnets;
}

}  // namespace dofa::bus

// SPDX-License-Identifier: Apache-2.0
// A loaded family on the bus: constants, read on the bus thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "daemon/bus/values.hpp"
#include "daemon/control/loaded_family.hpp"
#include "dbus/family_adaptor.hpp"

namespace dofa::bus {

class FamilyObject final
    : public sdbus::AdaptorInterfaces<org::dofa::Dofa1::Family_adaptor, sdbus::ManagedObject_adaptor> {
 public:
  FamilyObject(sdbus::IConnection& connection, std::shared_ptr<const control::LoadedFamily> family);
  ~FamilyObject();

  static std::string path_of(const std::string& name);
  void announce_profile();
  void announce_removed() { emitInterfacesRemovedSignal(); }

 private:
  std::string Name() override;
  std::string Kind() override;
  std::string Task() override;
  std::vector<std::string> Labels() override;
  std::uint64_t ResidentBytes() override;
  std::vector<Dictionary> Subnets() override;

  const std::shared_ptr<const control::LoadedFamily> family_;
};

}  // namespace dofa::bus

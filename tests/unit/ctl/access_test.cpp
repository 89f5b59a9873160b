// SPDX-License-Identifier: Apache-2.0
// What a user outside the group is told.
#include <unistd.h>

#include <filesystem>

#include "client/ctl/usage.hpp"
#include "client/lib/membership.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/private_bus.hpp"
#include "tests/unit/client/fake_service.hpp"
#include "tests/unit/client/program.hpp"

using namespace dofa::test;
using dofa::client::explained;
using dofa::client::Membership;
namespace fs = std::filesystem;

TEST_CASE("a refusal for lack of membership says which command grants it") {
  CHECK(explained("Rejected.", "bob", Membership::kNone) ==
        "user bob may not talk to dofad: not in the group dofad (sudo adduser bob dofad, then log in again)");
  CHECK(explained("Rejected.", "bob", Membership::kNotYet) ==
        "user bob may not talk to dofad: in the group dofad from the next login on only (log in again, or: "
        "newgrp dofad)");
  CHECK(explained("Rejected.", "bob", Membership::kNoGroup).find("sudo systemd-sysusers") !=
        std::string::npos);
  CHECK(explained("Rejected.", "bob", Membership::kIrrelevant) == "Rejected.");
}

TEST_CASE("a user whom the shipped policy does not let in gets one line and exit code 4") {
  if (::geteuid() != 0 || !fs::exists("/usr/bin/setpriv")) {
    WARN("skipped: needs root and setpriv, to become another user");
    return;
  }
  const PrivateBus bus(
      {PrivateBus::Kind::kSystem, {std::string(DOFA_SOURCE_DIR) + "/systemd/org.dofa.Dofa1.conf"}, {}});
  FakeService service(bus.address());  // as root
  // Where anybody can run it: a checkout may be anywhere.
  char pattern[] = "/tmp/dofactl-test-XXXXXX";
  const fs::path folder = ::mkdtemp(pattern);
  fs::permissions(folder, fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  fs::copy_file(DOFACTL_PROGRAM, folder / "dofactl");
  fs::copy_file(DOFA_CLIENT_LIBRARY, folder / "libdofa-client.so.1");
  Program dofactl(
      {"/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", folder / "dofactl", "status"},
      {{"DOFA_BUS", bus.address()}, {"LD_LIBRARY_PATH", folder}});
  CHECK(dofactl.wait() == dofa::ctl::kExitNotAuthorized);
  CHECK(dofactl.out() == "");
  INFO(dofactl.err());
  CHECK(dofactl.err().starts_with("dofactl: user "));
  CHECK(dofactl.err().find("sudo adduser ") != std::string::npos);
  CHECK(dofactl.err().find('\n') == dofactl.err().size() - 1);
  fs::remove_all(folder);
}

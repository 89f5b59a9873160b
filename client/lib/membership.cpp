// SPDX-License-Identifier: Apache-2.0
#include "client/lib/membership.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

namespace dofa::client {

namespace {

constexpr const char* kGroup = "dofad";  // systemd/org.dofa.Dofa1.conf, systemd/dofad.sysusers

bool process_is_member(gid_t group) {
  if (::getegid() == group) return true;
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
  const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
  groups.resize(static_cast<std::size_t>(std::max(count, 0)));
  return std::ranges::find(groups, group) != groups.end();
}

/// This process's user in the user database; empty where it is not in there.
std::string listed_user() {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> room{};
  if (::getpwuid_r(::geteuid(), &entry, room.data(), room.size(), &found) != 0 || found == nullptr) return "";
  return found->pw_name;
}

}  // namespace

std::string user_name() {
  const auto listed = listed_user();
  return listed.empty() ? std::to_string(::geteuid()) : listed;
}

Membership membership() {
  if (::geteuid() == 0) return Membership::kIrrelevant;
  group entry{};
  group* found = nullptr;
  std::vector<char> room(1 << 16);
  if (::getgrnam_r(kGroup, &entry, room.data(), room.size(), &found) != 0 || found == nullptr)
    return Membership::kNoGroup;
  if (process_is_member(found->gr_gid)) return Membership::kIrrelevant;
  const auto user = listed_user();
  for (char** member = found->gr_mem; *member != nullptr; ++member) {
    if (user == *member) return Membership::kNotYet;
  }
  return Membership::kNone;
}

std::string explained(const std::string& refusal, const std::string& user, Membership membership) {
  const std::string group = kGroup;
  const std::string refused = "user " + user + " may not talk to dofad: ";
  switch (membership) {
    case Membership::kNone:
      return refused + "not in the group " + group + " (sudo adduser " + user + " " + group +
             ", then log in again)";
    case Membership::kNotYet:
      return refused + "in the group " + group + " from the next login on only (log in again, or: newgrp " +
             group + ")";
    case Membership::kNoGroup:
      return refused + "there is no group " + group + " here (sudo systemd-sysusers, then sudo adduser " +
             user + " " + group + " and log in again)";
    case Membership::kIrrelevant:
      break;
  }
  return refusal;
}

}  // namespace dofa::client

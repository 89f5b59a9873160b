// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/contract_options.hpp"

#include <limits>

#include "client/ctl/contract_text.hpp"

namespace dofa::ctl {

client::Contract contract_of(const CommandLine& line) {
  client::Contract contract;
  if (const auto level = line.integer("--level", 0, std::numeric_limits<std::uint32_t>::max()))
    contract.level = static_cast<std::uint32_t>(*level);
  contract.min_accuracy = line.number("--min-accuracy", 0, 1);
  contract.latency_budget_us = line.integer("--budget-us", 1, std::numeric_limits<std::uint64_t>::max());
  for (const auto& assignment : line.all("--contract")) set_from_text(contract, assignment);
  return contract;
}

client::Family family_of(const client::Client& client, const CommandLine& line) {
  if (const auto name = line.text("--family")) return client.family(*name);
  auto families = client.families();
  if (families.empty()) throw client::Error(client::ErrorCode::kNotFound, "no family is loaded");
  return std::move(families.front());
}

}  // namespace dofa::ctl

// SPDX-License-Identifier: Apache-2.0
// Keeping a few of many, spread evenly. Pure.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace dofa::tool {

/// Keeps `limit` of `items`, spread evenly, in their order; 0 keeps all.
template <class Item>
void thin_out(std::vector<Item>& items, std::size_t limit) {
  if (limit == 0 || limit >= items.size()) return;
  std::vector<Item> kept;
  for (std::size_t i = 0; i < limit; ++i) kept.push_back(std::move(items[i * items.size() / limit]));
  items = std::move(kept);
}

}  // namespace dofa::tool

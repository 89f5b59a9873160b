// SPDX-License-Identifier: Apache-2.0
// The objects a pickle makes, and the few of torch's names it may use. Internal to the reader: pickle.cpp
// drives it. One arena belongs to one thread.
#pragma once

#include <string>
#include <vector>

#include "daemon/engine/checkpoint/pickle.hpp"

namespace dofa::checkpoint {

/// What ends a pickle's run early; thrown here and in pickle.cpp, an Error outside.
struct Refusal {
  std::string what;
};

class ObjectArena {
 public:
  ObjectId add(Object fresh);
  Object& operator[](ObjectId id) { return objects_[id]; }
  /// The object, which must be of this kind.
  const Object& expect(ObjectId id, Kind kind, const char* what) const;

  /// An object standing for "module.name"; refused unless it is one of torch's or OrderedDict.
  ObjectId add_global(const std::string& name);
  /// The storage a persistent id describes: ('storage', class, key, location, elements[, view]), where view
  /// is None or (key, offset, elements) in old files.
  ObjectId add_storage(ObjectId persistent_id);
  /// What one of those globals returns for a tuple of arguments.
  ObjectId call(ObjectId function, ObjectId arguments);

  [[nodiscard]] std::vector<Object> release() { return std::move(objects_); }

 private:
  std::vector<ObjectId> short_tuple(ObjectId id, std::size_t most, const char* what) const;
  std::vector<std::int64_t> sizes(ObjectId tuple, const char* what) const;
  const std::string& storage_key(ObjectId id) const;
  ObjectId add_tensor(const std::vector<ObjectId>& arguments);
  ObjectId add_ordered_dict(const std::vector<ObjectId>& arguments);

  std::vector<Object> objects_;
  std::size_t pairs_copied_ = 0;  ///< into OrderedDicts from lists, which may be recalled any number of times
};

}  // namespace dofa::checkpoint

// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/checkpoint/object_arena.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace dofa::checkpoint {
namespace {

constexpr std::array<std::pair<std::string_view, ElementType>, 10> kStorages{
    {{"torch.FloatStorage", ElementType::kFloat32},
     {"torch.DoubleStorage", ElementType::kFloat64},
     {"torch.HalfStorage", ElementType::kFloat16},
     {"torch.BFloat16Storage", ElementType::kBFloat16},
     {"torch.LongStorage", ElementType::kInt64},
     {"torch.IntStorage", ElementType::kInt32},
     {"torch.ShortStorage", ElementType::kInt16},
     {"torch.CharStorage", ElementType::kInt8},
     {"torch.ByteStorage", ElementType::kUint8},
     {"torch.BoolStorage", ElementType::kBool}}};
constexpr std::string_view kOrderedDict = "collections.OrderedDict";
constexpr std::string_view kRebuildTensor = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kRebuildOldTensor = "torch._utils._rebuild_tensor";  // before 0.4
constexpr std::string_view kRebuildParameter = "torch._utils._rebuild_parameter";

constexpr std::size_t kMaxRank = 8;
constexpr std::size_t kMaxArguments = 8;         // torch's own calls have at most 7
constexpr std::size_t kMaxStorageKeyBytes = 64;  // a counter, or an address in old files
constexpr std::size_t kMaxQuotedBytes = 100;     // of a refused name in a message

/// A name from the file as one short line.
std::string printable(std::string_view name) {
  std::string text(name.substr(0, kMaxQuotedBytes));
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < 0x20 || c >= 0x7F; }, '?');
  return text + (name.size() > kMaxQuotedBytes ? "…" : "");
}

}  // namespace

ObjectId ObjectArena::add(Object fresh) {
  if (objects_.size() >= kMaxPickleObjects) throw Refusal{"too many objects"};
  objects_.push_back(std::move(fresh));
  return static_cast<ObjectId>(objects_.size() - 1);
}

const Object& ObjectArena::expect(ObjectId id, Kind kind, const char* what) const {
  if (objects_[id].kind != kind) throw Refusal{std::string("malformed ") + what};
  return objects_[id];
}

/// A tuple's items, copied; refused above `most`, so that recalling a huge tuple again and again costs
/// nothing.
std::vector<ObjectId> ObjectArena::short_tuple(ObjectId id, std::size_t most, const char* what) const {
  const Object& tuple = expect(id, Kind::kTuple, what);
  if (tuple.items.size() > most) throw Refusal{std::string("malformed ") + what};
  return tuple.items;
}

std::vector<std::int64_t> ObjectArena::sizes(ObjectId tuple, const char* what) const {
  std::vector<std::int64_t> result;
  for (const ObjectId id : short_tuple(tuple, kMaxRank, what)) {
    result.push_back(expect(id, Kind::kInteger, what).integer);
    if (result.back() < 0) throw Refusal{std::string("negative ") + what};
  }
  return result;
}

const std::string& ObjectArena::storage_key(ObjectId id) const {
  const std::string& key = expect(id, Kind::kString, "storage key").text;
  if (key.size() > kMaxStorageKeyBytes) throw Refusal{"malformed storage key"};
  return key;
}

ObjectId ObjectArena::add_global(const std::string& name) {
  const auto* storage =
      std::ranges::find(kStorages, std::string_view(name), [](const auto& s) { return s.first; });
  const bool is_storage = storage != kStorages.end();
  if (!is_storage && name != kOrderedDict && name != kRebuildTensor && name != kRebuildOldTensor &&
      name != kRebuildParameter)
    throw Refusal{"refused global " + printable(name)};
  return add({.kind = Kind::kGlobal, .type = is_storage ? storage->second : ElementType{}, .text = name});
}

ObjectId ObjectArena::add_storage(ObjectId persistent_id) {
  const std::vector<ObjectId> items = short_tuple(persistent_id, 6, "storage");
  if (items.size() < 5 || expect(items[0], Kind::kString, "storage").text != "storage")
    throw Refusal{"malformed storage"};
  const Object& storage_class = expect(items[1], Kind::kGlobal, "storage class");
  if (storage_class.text == kOrderedDict || storage_class.text.starts_with("torch._utils"))
    throw Refusal{"malformed storage class"};
  Object storage{.kind = Kind::kStorage,
                 .type = storage_class.type,
                 .integer = expect(items[4], Kind::kInteger, "storage size").integer,
                 .text = storage_key(items[2])};
  if (items.size() == 6 && objects_[items[5]].kind != Kind::kNone) {
    const std::vector<ObjectId> view = short_tuple(items[5], 3, "storage view");
    if (view.size() != 3) throw Refusal{"malformed storage view"};
    storage.storage_offset = expect(view[1], Kind::kInteger, "storage view").integer;
    storage.integer = expect(view[2], Kind::kInteger, "storage view").integer;
  }
  if (storage.integer < 0 || storage.storage_offset < 0) throw Refusal{"negative storage size"};
  return add(std::move(storage));
}

ObjectId ObjectArena::call(ObjectId function, ObjectId arguments) {
  const std::string name = expect(function, Kind::kGlobal, "call").text;
  const std::vector<ObjectId> values = short_tuple(arguments, kMaxArguments, "arguments");
  if (name == kOrderedDict) return add_ordered_dict(values);
  if (name == kRebuildParameter && !values.empty()) {
    expect(values[0], Kind::kTensor, "parameter");
    return values[0];
  }
  if ((name == kRebuildTensor || name == kRebuildOldTensor) && values.size() >= 4) return add_tensor(values);
  throw Refusal{"malformed call of " + name};
}

/// (storage, offset, shape, strides, …)
ObjectId ObjectArena::add_tensor(const std::vector<ObjectId>& arguments) {
  expect(arguments[0], Kind::kStorage, "tensor");
  Object tensor{.kind = Kind::kTensor,
                .integer = expect(arguments[1], Kind::kInteger, "tensor offset").integer,
                .shape = sizes(arguments[2], "tensor shape"),
                .strides = sizes(arguments[3], "tensor strides"),
                .storage = arguments[0]};
  if (tensor.integer < 0 || tensor.shape.size() != tensor.strides.size()) throw Refusal{"malformed tensor"};
  return add(std::move(tensor));
}

/// OrderedDict() or, as Python 2 wrote it, OrderedDict([[key, value], …]).
ObjectId ObjectArena::add_ordered_dict(const std::vector<ObjectId>& arguments) {
  Object dict{.kind = Kind::kDict};
  if (arguments.size() > 1) throw Refusal{"malformed call of OrderedDict"};
  if (arguments.size() == 1) {
    for (const ObjectId id : expect(arguments[0], Kind::kList, "OrderedDict").items) {
      const Object& pair = objects_[id];
      if ((pair.kind != Kind::kList && pair.kind != Kind::kTuple) || pair.items.size() != 2)
        throw Refusal{"malformed OrderedDict"};
      dict.items.insert(dict.items.end(), pair.items.begin(), pair.items.end());
      if (++pairs_copied_ > kMaxPickleObjects) throw Refusal{"too many objects"};
    }
  }
  return add(std::move(dict));
}

}  // namespace dofa::checkpoint

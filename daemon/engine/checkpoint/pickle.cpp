// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/checkpoint/pickle.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <unordered_map>

namespace dofa::checkpoint {
namespace {

/// Opcodes of protocols 2 to 4 that are understood; names as in Python's pickle.py.
enum Opcode : std::uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kDict = 'd',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kList = 'l',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyDict = '}',
  kEmptyList = ']',
  kEmptyTuple = ')',
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kProto = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95
};

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

/// What ends a run early; the machine turns it into an Error with the position.
struct Refusal {
  std::string what;
};

class Machine {
 public:
  explicit Machine(std::span<const std::byte> bytes)
      : bytes_(bytes.first(std::min(bytes.size(), kMaxPickleBytes))) {}

  Pickle run() {
    while (!step(static_cast<std::uint8_t>(number(1)))) {
    }
    pickle_.root = pop();
    pickle_.size = at_;
    return std::move(pickle_);
  }
  [[nodiscard]] std::size_t position() const { return at_; }

 private:
  // -- reading
  // ------------------------------------------------------------------------------------------------------
  std::span<const std::byte> take(std::uint64_t size) {
    if (size > bytes_.size() - at_) throw Refusal{"truncated"};
    const auto taken = bytes_.subspan(at_, size);
    at_ += size;
    return taken;
  }
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    const auto taken = take(size);
    for (std::size_t i = 0; i < size; ++i)
      value |= std::uint64_t{std::to_integer<std::uint8_t>(taken[i])} << (8 * i);
    return value;
  }
  std::string text(std::uint64_t size) {
    const auto taken = take(size);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }
  std::string line() {
    std::string result;
    for (char c = 0; (c = static_cast<char>(number(1))) != '\n';) result += c;
    return result;
  }

  // -- the stack
  // ----------------------------------------------------------------------------------------------------
  Object& object(ObjectId id) { return pickle_.objects[id]; }
  void push(ObjectId id) { stack_.push_back(id); }
  void push_new(Object fresh) {
    if (pickle_.objects.size() >= kMaxPickleObjects) throw Refusal{"too many objects"};
    pickle_.objects.push_back(std::move(fresh));
    push(static_cast<ObjectId>(pickle_.objects.size() - 1));
  }
  void push_integer(std::int64_t value) { push_new({.kind = Kind::kInteger, .integer = value}); }
  void push_string(std::string value) { push_new({.kind = Kind::kString, .text = std::move(value)}); }
  ObjectId pop() {
    const ObjectId id = top();
    stack_.pop_back();
    return id;
  }
  /// Objects below the last mark are out of reach until it is popped.
  ObjectId top() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) throw Refusal{"stack is empty"};
    return stack_.back();
  }
  std::vector<ObjectId> pop_to_mark() {
    if (marks_.empty()) throw Refusal{"no mark on the stack"};
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<ObjectId> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return items;
  }
  void push_tuple(std::size_t size) {
    std::vector<ObjectId> items(size);
    for (std::size_t i = size; i-- > 0;) items[i] = pop();
    push_new({.kind = Kind::kTuple, .items = std::move(items)});
  }
  void extend(Kind kind, const std::vector<ObjectId>& items) {
    Object& target = object(top());
    if (target.kind != kind)
      throw Refusal{kind == Kind::kDict ? "items set on what is no dict" : "append to no list"};
    if (kind == Kind::kDict && items.size() % 2 != 0) throw Refusal{"a dict key without a value"};
    target.items.insert(target.items.end(), items.begin(), items.end());
  }

  // -- objects by name
  // ----------------------------------------------------------------------------------------------
  void push_global(const std::string& name) {
    const auto* storage =
        std::ranges::find(kStorages, std::string_view(name), [](const auto& s) { return s.first; });
    const bool known = storage != kStorages.end() || name == kOrderedDict || name == kRebuildTensor ||
                       name == kRebuildOldTensor || name == kRebuildParameter;
    if (!known) throw Refusal{"refused global " + printable(name)};
    push_new({.kind = Kind::kGlobal,
              .type = storage != kStorages.end() ? storage->second : ElementType{},
              .text = name});
  }
  const Object& expect(ObjectId id, Kind kind, const char* what) {
    if (object(id).kind != kind) throw Refusal{std::string("malformed ") + what};
    return object(id);
  }
  /// A tuple's items, copied; refused above `most`, so that recalling a huge tuple again and again costs
  /// nothing.
  std::vector<ObjectId> short_tuple(ObjectId id, std::size_t most, const char* what) {
    const Object& tuple = expect(id, Kind::kTuple, what);
    if (tuple.items.size() > most) throw Refusal{std::string("malformed ") + what};
    return tuple.items;
  }
  std::vector<std::int64_t> sizes(ObjectId tuple, const char* what) {
    std::vector<std::int64_t> result;
    for (const ObjectId id : short_tuple(tuple, kMaxRank, what)) {
      result.push_back(expect(id, Kind::kInteger, what).integer);
      if (result.back() < 0) throw Refusal{std::string("negative ") + what};
    }
    return result;
  }

  const std::string& storage_key(ObjectId id) {
    const std::string& key = expect(id, Kind::kString, "storage key").text;
    if (key.size() > kMaxStorageKeyBytes) throw Refusal{"malformed storage key"};
    return key;
  }
  /// ('storage', class, key, location, elements[, view]), where view is None or (key, offset, elements) in
  /// old files.
  void push_storage(ObjectId id) {
    const std::vector<ObjectId> items = short_tuple(id, 6, "storage");
    if (items.size() < 5 || expect(items[0], Kind::kString, "storage").text != "storage")
      throw Refusal{"malformed storage"};
    const Object& storage_class = expect(items[1], Kind::kGlobal, "storage class");
    if (storage_class.text == kOrderedDict || storage_class.text.starts_with("torch._utils"))
      throw Refusal{"malformed storage class"};
    Object storage{.kind = Kind::kStorage,
                   .type = storage_class.type,
                   .integer = expect(items[4], Kind::kInteger, "storage size").integer,
                   .text = storage_key(items[2])};
    if (items.size() == 6 && object(items[5]).kind != Kind::kNone) {
      const std::vector<ObjectId> view = short_tuple(items[5], 3, "storage view");
      if (view.size() != 3) throw Refusal{"malformed storage view"};
      storage.storage_offset = expect(view[1], Kind::kInteger, "storage view").integer;
      storage.integer = expect(view[2], Kind::kInteger, "storage view").integer;
    }
    if (storage.integer < 0 || storage.storage_offset < 0) throw Refusal{"negative storage size"};
    push_new(std::move(storage));
  }

  void call(ObjectId function, ObjectId arguments) {
    const std::string name = expect(function, Kind::kGlobal, "call").text;
    const std::vector<ObjectId> values = short_tuple(arguments, kMaxArguments, "arguments");
    if (name == kOrderedDict) return push_ordered_dict(values);
    if (name == kRebuildParameter && !values.empty()) {
      expect(values[0], Kind::kTensor, "parameter");
      return push(values[0]);
    }
    if ((name != kRebuildTensor && name != kRebuildOldTensor) || values.size() < 4)
      throw Refusal{"malformed call of " + name};
    expect(values[0], Kind::kStorage, "tensor");
    Object tensor{.kind = Kind::kTensor,
                  .integer = expect(values[1], Kind::kInteger, "tensor offset").integer,
                  .shape = sizes(values[2], "tensor shape"),
                  .strides = sizes(values[3], "tensor strides"),
                  .storage = values[0]};
    if (tensor.integer < 0 || tensor.shape.size() != tensor.strides.size()) throw Refusal{"malformed tensor"};
    push_new(std::move(tensor));
  }

  /// OrderedDict() or, as Python 2 wrote it, OrderedDict([[key, value], …]).
  void push_ordered_dict(const std::vector<ObjectId>& values) {
    Object dict{.kind = Kind::kDict};
    if (values.size() > 1) throw Refusal{"malformed call of OrderedDict"};
    if (values.size() == 1) {
      for (const ObjectId id : expect(values[0], Kind::kList, "OrderedDict").items) {
        const Object& pair = object(id);
        if ((pair.kind != Kind::kList && pair.kind != Kind::kTuple) || pair.items.size() != 2)
          throw Refusal{"malformed OrderedDict"};
        dict.items.insert(dict.items.end(), pair.items.begin(), pair.items.end());
        if (++pairs_copied_ > kMaxPickleObjects) throw Refusal{"too many objects"};
      }
    }
    push_new(std::move(dict));
  }

  // -- memo
  // ---------------------------------------------------------------------------------------------------------
  void remember(std::uint64_t index) { memo_[static_cast<std::uint32_t>(index)] = top(); }
  void recall(std::uint64_t index) {
    const auto found = memo_.find(static_cast<std::uint32_t>(index));
    if (found == memo_.end()) throw Refusal{"memo " + std::to_string(index) + " is empty"};
    push(found->second);
  }

  // -- opcodes
  // ------------------------------------------------------------------------------------------------------
  /// Runs one opcode; true for STOP.
  bool step(std::uint8_t opcode) {
    switch (opcode) {
      case kProto:
        if (const auto version = number(1); version < 2 || version > 5)
          throw Refusal{"pickle protocol " + std::to_string(version) + " is not supported"};
        break;
      case kFrame:
        number(8);
        break;
      case kStop:
        return true;
      case kMark:
        marks_.push_back(stack_.size());
        break;
      case kPop:
        pop();
        break;
      case kPopMark:
        pop_to_mark();
        break;
      case kReduce: {
        const ObjectId arguments = pop();
        call(pop(), arguments);
        break;
      }
      case kBuild:  // the attributes of a state dict (its _metadata); no weights among them
        pop();
        if (object(top()).kind != Kind::kDict) throw Refusal{"refused state of what is no dict"};
        break;
      case kBinPersId:
        push_storage(pop());
        break;
      case kGlobal: {
        const std::string module = line();
        push_global(module + "." + line());
        break;
      }
      case kStackGlobal: {
        const std::string name = expect(pop(), Kind::kString, "global").text;
        push_global(expect(pop(), Kind::kString, "global").text + "." + name);
        break;
      }
      case kBinPut:
        remember(number(1));
        break;
      case kLongBinPut:
        remember(number(4));
        break;
      case kMemoize:
        remember(memo_.size());
        break;
      case kBinGet:
        recall(number(1));
        break;
      case kLongBinGet:
        recall(number(4));
        break;
      default:
        return step_value(opcode);
    }
    return false;
  }

  /// The opcodes that make or fill values.
  bool step_value(std::uint8_t opcode) {
    switch (opcode) {
      case kNone:
        push_new({});
        break;
      case kNewTrue:
        push_new({.kind = Kind::kBool, .integer = 1});
        break;
      case kNewFalse:
        push_new({.kind = Kind::kBool});
        break;
      case kBinInt:
        push_integer(static_cast<std::int32_t>(number(4)));
        break;
      case kBinInt1:
        push_integer(static_cast<std::int64_t>(number(1)));
        break;
      case kBinInt2:
        push_integer(static_cast<std::int64_t>(number(2)));
        break;
      case kLong1:
        push_long(text(number(1)));
        break;
      case kBinFloat: {
        std::uint64_t bits = 0;  // the one big-endian field
        for (const std::byte byte : take(8)) bits = (bits << 8) | std::to_integer<std::uint8_t>(byte);
        push_new({.kind = Kind::kFloat, .number = std::bit_cast<double>(bits)});
        break;
      }
      case kShortBinString:
      case kShortBinBytes:
      case kShortBinUnicode:
        push_string(text(number(1)));
        break;
      case kBinString:
      case kBinBytes:
      case kBinUnicode:
        push_string(text(number(4)));
        break;
      case kBinUnicode8:
        push_string(text(number(8)));
        break;
      case kEmptyTuple:
        push_tuple(0);
        break;
      case kTuple1:
        push_tuple(1);
        break;
      case kTuple2:
        push_tuple(2);
        break;
      case kTuple3:
        push_tuple(3);
        break;
      case kTuple:
        push_new({.kind = Kind::kTuple, .items = pop_to_mark()});
        break;
      case kEmptyList:
        push_new({.kind = Kind::kList});
        break;
      case kList:
        push_new({.kind = Kind::kList, .items = pop_to_mark()});
        break;
      case kEmptyDict:
        push_new({.kind = Kind::kDict});
        break;
      case kDict: {
        std::vector<ObjectId> items = pop_to_mark();
        push_new({.kind = Kind::kDict});
        extend(Kind::kDict, items);
        break;
      }
      case kAppend: {
        const ObjectId value = pop();
        extend(Kind::kList, {value});
        break;
      }
      case kAppends: {
        const std::vector<ObjectId> items = pop_to_mark();
        extend(Kind::kList, items);
        break;
      }
      case kSetItem: {
        const ObjectId value = pop();
        const ObjectId key = pop();
        extend(Kind::kDict, {key, value});
        break;
      }
      case kSetItems: {
        const std::vector<ObjectId> items = pop_to_mark();
        extend(Kind::kDict, items);
        break;
      }
      default:
        throw Refusal{"refused opcode " + std::to_string(opcode)};
    }
    return false;
  }

  /// Two's complement, little-endian; beyond 64 bits the bytes are kept.
  void push_long(std::string bytes) {
    if (bytes.size() > 8) return push_new({.kind = Kind::kLong, .text = std::move(bytes)});
    std::uint64_t value = !bytes.empty() && (bytes.back() & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    for (std::size_t i = bytes.size(); i-- > 0;) value = (value << 8) | static_cast<std::uint8_t>(bytes[i]);
    push_integer(static_cast<std::int64_t>(value));
  }

  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  Pickle pickle_;
  std::vector<ObjectId> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint32_t, ObjectId> memo_;
  std::size_t pairs_copied_ = 0;  // into OrderedDicts from lists, which may be recalled any number of times
};

}  // namespace

const Object* Pickle::find(const Object& dict, std::string_view key) const {
  for (std::size_t i = dict.items.size(); i >= 2; i -= 2) {  // the last of equal keys counts, as in Python
    const Object& name = objects[dict.items[i - 2]];
    if (name.kind == Kind::kString && name.text == key) return &objects[dict.items[i - 1]];
  }
  return nullptr;
}

Result<Pickle> read_pickle(std::span<const std::byte> bytes) {
  Machine machine(bytes);
  try {
    return machine.run();
  } catch (const Refusal& refusal) {
    return Error{ErrorCode::kInvalidArgument,
                 "pickle: " + refusal.what + " (at byte " + std::to_string(machine.position()) + ")"};
  }
}

}  // namespace dofa::checkpoint

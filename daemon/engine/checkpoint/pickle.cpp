// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/checkpoint/pickle.hpp"

#include <algorithm>
#include <bit>
#include <unordered_map>

#include "daemon/engine/checkpoint/object_arena.hpp"

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

class Machine {
 public:
  explicit Machine(std::span<const std::byte> bytes)
      : bytes_(bytes.first(std::min(bytes.size(), kMaxPickleBytes))) {}

  Pickle run() {
    while (!step(static_cast<std::uint8_t>(number(1)))) {
    }
    const ObjectId root = pop();
    return {arena_.release(), root, at_};
  }
  [[nodiscard]] std::size_t position() const { return at_; }

 private:
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

  void push(ObjectId id) { stack_.push_back(id); }
  void push_new(Object fresh) { push(arena_.add(std::move(fresh))); }
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
    Object& target = arena_[top()];
    if (target.kind != kind)
      throw Refusal{kind == Kind::kDict ? "items set on what is no dict" : "append to no list"};
    if (kind == Kind::kDict && items.size() % 2 != 0) throw Refusal{"a dict key without a value"};
    target.items.insert(target.items.end(), items.begin(), items.end());
  }

  void remember(std::uint64_t index) { memo_[static_cast<std::uint32_t>(index)] = top(); }
  void recall(std::uint64_t index) {
    const auto found = memo_.find(static_cast<std::uint32_t>(index));
    if (found == memo_.end()) throw Refusal{"memo " + std::to_string(index) + " is empty"};
    push(found->second);
  }

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
        push(arena_.call(pop(), arguments));
        break;
      }
      case kBuild:  // the attributes of a state dict (its _metadata); no weights among them
        pop();
        if (arena_[top()].kind != Kind::kDict) throw Refusal{"refused state of what is no dict"};
        break;
      case kBinPersId:
        push(arena_.add_storage(pop()));
        break;
      case kGlobal: {
        const std::string module = line();
        push(arena_.add_global(module + "." + line()));
        break;
      }
      case kStackGlobal: {
        const std::string name = arena_.expect(pop(), Kind::kString, "global").text;
        push(arena_.add_global(arena_.expect(pop(), Kind::kString, "global").text + "." + name));
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
  ObjectArena arena_;
  std::vector<ObjectId> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint32_t, ObjectId> memo_;
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

// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/checkpoint/checkpoint.hpp"

#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "daemon/engine/checkpoint/pickle.hpp"
#include "daemon/engine/checkpoint/zip.hpp"

namespace dofa::checkpoint {
namespace {

constexpr std::string_view kLegacyMagic =
    "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";  // 0x1950a86a20f9469cfc6c
constexpr std::int64_t kLegacyProtocol = 1001;

Error invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

/// The file's parts that hold numbers: storage key to its bytes.
using Storages = std::map<std::string, Bytes>;

/// Checks the tensor against its storage and makes it a view of the file.
Result<Tensor> locate(const Object& tensor, const Object& storage, const Storages& storages) {
  const auto found = storages.find(storage.text);
  if (found == storages.end()) return invalid("its storage is missing");
  const std::size_t size = element_size(storage.type);
  const auto stored = static_cast<std::int64_t>(found->second.size() / size);
  if (storage.storage_offset > stored || storage.integer > stored - storage.storage_offset)
    return invalid("its storage of " + std::to_string(storage.integer) +
                   " elements reaches beyond the file's " + std::to_string(stored));
  Tensor located{storage.type, tensor.shape, tensor.strides, {}};
  std::int64_t count = 1;
  std::int64_t last = 0;  // the farthest element from the tensor's first
  for (std::size_t axis = 0; axis < tensor.shape.size(); ++axis) {
    std::int64_t reach = 0;
    const bool fits = !__builtin_mul_overflow(count, tensor.shape[axis], &count) &&
                      !__builtin_mul_overflow(tensor.shape[axis] - 1, tensor.strides[axis], &reach) &&
                      !__builtin_add_overflow(last, reach, &last);
    if (!fits) return invalid("its shape " + shape_text(tensor.shape) + " overflows");
  }
  if (count == 0) return located;
  if (tensor.integer > storage.integer || last >= storage.integer - tensor.integer || count > storage.integer)
    return invalid("its shape " + shape_text(tensor.shape) + " reaches beyond its storage of " +
                   std::to_string(storage.integer) + " elements");
  located.bytes =
      found->second.subspan(static_cast<std::size_t>(storage.storage_offset + tensor.integer) * size,
                            static_cast<std::size_t>(last + 1) * size);
  return located;
}

/// The named tensors of the dict the pickle describes, or of the dict under its `state_dict`.
Result<std::map<std::string, Tensor>> collect(const Pickle& pickle, const Storages& storages) {
  const Object* dict = &pickle[pickle.root];
  if (dict->kind == Kind::kDict) {
    const Object* inner = pickle.find(*dict, "state_dict");
    if (inner != nullptr) dict = inner;
  }
  if (dict->kind != Kind::kDict) return invalid("holds no dict of tensors");
  std::map<std::string, Tensor> tensors;
  for (std::size_t i = 0; i + 1 < dict->items.size(); i += 2) {
    const Object& key = pickle[dict->items[i]];
    const Object& value = pickle[dict->items[i + 1]];
    if (key.kind != Kind::kString || value.kind != Kind::kTensor) continue;
    auto tensor = locate(value, pickle[value.storage], storages);
    if (!tensor) return invalid("tensor '" + key.text + "': " + tensor.error().message);
    tensors.insert_or_assign(key.text, std::move(*tensor));
  }
  if (tensors.empty()) return invalid("holds no tensors");
  return tensors;
}

/// Every record lies in one folder of the archive, whose name is the writer's choice: <name>/data.pkl,
/// <name>/data/<key>.
Result<std::map<std::string, Tensor>> parse_zip(Bytes file, bool verify_checksums) {
  const auto records = read_zip(file, verify_checksums);
  if (!records) return records.error();
  std::string folder;
  for (const auto& [name, contents] : *records)
    if (name.ends_with("/data.pkl") && name.find('/') == name.rfind('/'))
      folder = name.substr(0, name.find('/') + 1);
  if (folder.empty()) return invalid("zip archive without data.pkl: not a torch.save file");
  const auto byte_order = records->find(folder + "byteorder");
  if (byte_order != records->end() && (byte_order->second.empty() || byte_order->second[0] != std::byte{'l'}))
    return invalid("numbers are big-endian, which is not supported");
  const std::string prefix = folder + "data/";
  Storages storages;
  for (const auto& [name, contents] : *records)
    if (name.starts_with(prefix)) storages.emplace(name.substr(prefix.size()), contents);
  const Bytes data = records->at(folder + "data.pkl");
  if (data.size() > kMaxPickleBytes) return invalid("data.pkl is longer than any state dict's");
  const auto pickle = read_pickle(data);
  if (!pickle) return pickle.error();
  return collect(*pickle, storages);
}

/// The pickles of a legacy file, one behind the other.
class LegacyReader {
 public:
  explicit LegacyReader(Bytes file) : rest_(file) {}
  Result<Pickle> next() {
    auto pickle = read_pickle(rest_);
    if (pickle) rest_ = rest_.subspan(pickle->size);
    return pickle;
  }
  /// Takes one storage: its number of elements (int64), then the elements.
  Result<Bytes> next_storage(std::size_t element_bytes) {
    if (rest_.size() < 8) return invalid("truncated");
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < 8; ++i)
      count |= std::uint64_t{std::to_integer<std::uint8_t>(rest_[i])} << (8 * i);
    rest_ = rest_.subspan(8);
    if (count > rest_.size() / element_bytes)
      return invalid("truncated: a storage of " + std::to_string(count) +
                     " elements reaches beyond the end of the file");
    const Bytes storage = rest_.first(count * element_bytes);
    rest_ = rest_.subspan(storage.size());
    return storage;
  }

 private:
  Bytes rest_;
};

/// Magic number, protocol, machine description, the object, the keys of its storages, then each storage.
Result<std::map<std::string, Tensor>> parse_legacy(Bytes file) {
  LegacyReader reader(file);
  const auto magic = reader.next();
  if (!magic || (*magic)[magic->root].kind != Kind::kLong || (*magic)[magic->root].text != kLegacyMagic)
    return invalid("not a torch.save file");
  const auto protocol = reader.next();
  if (!protocol) return protocol.error();
  if ((*protocol)[protocol->root].integer != kLegacyProtocol) return invalid("unknown legacy protocol");
  const auto machine = reader.next();
  if (!machine) return machine.error();
  const Object* little_endian = machine->find((*machine)[machine->root], "little_endian");
  if (little_endian != nullptr && little_endian->integer == 0)
    return invalid("numbers are big-endian, which is not supported");
  const auto object = reader.next();
  if (!object) return object.error();
  const auto keys = reader.next();
  if (!keys) return keys.error();

  std::map<std::string, ElementType> types;
  for (const Object& candidate : object->objects)
    if (candidate.kind == Kind::kStorage) types.emplace(candidate.text, candidate.type);
  Storages storages;
  for (const ObjectId id : (*keys)[keys->root].items) {
    const std::string& key = (*keys)[id].text;
    const auto type = types.find(key);
    if (type == types.end()) return invalid("a storage that no tensor uses");
    const auto storage = reader.next_storage(element_size(type->second));
    if (!storage) return storage.error();
    storages.emplace(key, *storage);
  }
  return collect(*object, storages);
}

}  // namespace

Result<Checkpoint> parse_checkpoint(std::vector<std::byte> file, bool verify_checksums) {
  auto tensors = looks_like_zip(file) ? parse_zip(file, verify_checksums) : parse_legacy(file);
  if (!tensors) return tensors.error();
  return Checkpoint(std::move(file), std::move(*tensors));
}

Result<Checkpoint> read_checkpoint(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) return Error{ErrorCode::kNotFound, path + ": no such file"};
  if (!std::filesystem::is_regular_file(status)) return invalid(path + ": not a file");
  const auto size = std::filesystem::file_size(path, error);
  if (error) return Error{ErrorCode::kNotFound, path + ": " + error.message()};
  if (size > kMaxFileBytes) return invalid(path + ": larger than 2 GiB");
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return Error{ErrorCode::kNotFound, path + ": cannot be opened"};
  std::vector<std::byte> file(size);
  stream.read(reinterpret_cast<char*>(file.data()), static_cast<std::streamsize>(size));
  if (static_cast<std::uintmax_t>(stream.gcount()) != size) return invalid(path + ": cannot be read");
  auto checkpoint = parse_checkpoint(std::move(file));
  if (!checkpoint) return Error{checkpoint.error().code, path + ": " + checkpoint.error().message};
  return checkpoint;
}

}  // namespace dofa::checkpoint

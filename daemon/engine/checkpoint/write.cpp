// SPDX-License-Identifier: Apache-2.0
// The writing half of checkpoint.hpp: a flat dict of float32 tensors as torch.save's zip format has it.
#include <filesystem>
#include <fstream>
#include <initializer_list>

#include "daemon/engine/checkpoint/checkpoint.hpp"
#include "daemon/engine/checkpoint/zip.hpp"

namespace dofa::checkpoint {
namespace {

/// Emits the few opcodes of pickle protocol 2 that a dict of tensors needs.
class PickleWriter {
 public:
  void opcodes(std::string_view bytes) { text_ += bytes; }
  void global(std::string_view module, std::string_view name) {
    ((text_ += 'c') += module) += '\n';
    (text_ += name) += '\n';
  }
  void string(std::string_view value) {
    text_ += 'X';  // BINUNICODE
    number(value.size(), 4);
    text_ += value;
  }
  void integer(std::int64_t value) {
    text_ += "\x8a\x08";  // LONG1 of eight bytes
    number(static_cast<std::uint64_t>(value), 8);
  }
  void integers(const std::vector<std::int64_t>& values) {
    text_ += '(';
    for (const std::int64_t value : values) integer(value);
    text_ += 't';
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void number(std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) text_ += static_cast<char>(value >> (8 * i));
  }
  std::string text_;
};

void write_tensor(PickleWriter& pickle, const FloatTensor& tensor, const std::string& key) {
  pickle.global("torch._utils", "_rebuild_tensor_v2");
  pickle.opcodes("((");  // its arguments, of which the first is a storage:
  pickle.string("storage");
  pickle.global("torch", "FloatStorage");
  pickle.string(key);
  pickle.string("cpu");
  pickle.integer(static_cast<std::int64_t>(tensor.values.size()));
  pickle.opcodes("tQ");  // end of the tuple, BINPERSID
  pickle.integer(0);     // offset
  pickle.integers(tensor.shape);
  std::vector<std::int64_t> strides(tensor.shape.size(), 1);
  for (std::size_t axis = strides.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * tensor.shape[axis];
  pickle.integers(strides);
  pickle.opcodes("\x89");  // needs no gradient
  pickle.global("collections", "OrderedDict");
  pickle.opcodes(")RtR");  // no hooks: OrderedDict(); end of the arguments; call
}

}  // namespace

std::vector<std::byte> format_checkpoint(const std::map<std::string, FloatTensor>& tensors) {
  PickleWriter pickle;
  pickle.opcodes("\x80\x02}(");  // protocol 2, a dict, its items
  std::size_t key = 0;
  for (const auto& [name, tensor] : tensors) {
    pickle.string(name);
    write_tensor(pickle, tensor, std::to_string(key++));
  }
  pickle.opcodes("u.");  // SETITEMS even for one entry (LibTorch 1.13 knows no SETITEM); STOP

  ZipWriter zip;
  zip.add("archive/data.pkl", std::as_bytes(std::span(pickle.text())));
  key = 0;
  for (const auto& [name, tensor] : tensors)
    zip.add("archive/data/" + std::to_string(key++), std::as_bytes(std::span(tensor.values)));
  zip.add("archive/version", std::as_bytes(std::span("3\n", 2)));
  return zip.finish();
}

Result<void> write_checkpoint(const std::string& path, const std::map<std::string, FloatTensor>& tensors) {
  const std::vector<std::byte> bytes = format_checkpoint(tensors);
  const std::string temporary = path + ".new";
  std::ofstream stream(temporary, std::ios::binary | std::ios::trunc);
  stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  stream.close();
  std::error_code error;
  if (stream) std::filesystem::rename(temporary, path, error);
  if (!stream || error) {
    std::filesystem::remove(temporary, error);
    return Error{ErrorCode::kFailed, path + ": cannot be written"};
  }
  return {};
}

}  // namespace dofa::checkpoint

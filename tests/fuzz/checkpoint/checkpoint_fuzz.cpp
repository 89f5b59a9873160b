// SPDX-License-Identifier: Apache-2.0
// The reader of torch.save files. The first byte chooses: the rest is a whole file, zip or legacy, read
// without its checksums (else no changed byte gets past them); or it is the pickle of an otherwise sound zip
// archive.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "daemon/engine/checkpoint/checkpoint.hpp"
#include "daemon/engine/checkpoint/zip.hpp"

using namespace dofa::checkpoint;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// Every tensor the reader lets through can be read, lies within the file, and survives being written.
void check(const Checkpoint& checkpoint, std::size_t file_size) {
  std::map<std::string, FloatTensor> copies;
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    require(tensor.bytes.size() <= file_size && tensor.shape.size() == tensor.strides.size());
    const auto values = to_floats(tensor);
    if (!values) continue;
    require(values->size() == static_cast<std::size_t>(element_count(tensor)) && values->size() <= file_size);
    if (copies.size() < 4) copies[name] = {tensor.shape, *values};
  }
  if (copies.empty()) return;
  const auto again = parse_checkpoint(format_checkpoint(copies));
  require(again.ok() && again->tensors().size() == copies.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span rest = std::as_bytes(std::span(data + 1, size - 1));
  std::vector<std::byte> file(rest.begin(), rest.end());
  if (data[0] == 'p') {
    static constexpr std::uint8_t kNumbers[64] = {1, 2, 3, 4};
    ZipWriter zip;
    zip.add("a/data.pkl", rest);
    zip.add("a/data/0", std::as_bytes(std::span(kNumbers)));
    file = zip.finish();
  }
  const std::size_t file_size = file.size();
  const auto checkpoint = parse_checkpoint(std::move(file), false);
  if (checkpoint) check(*checkpoint, file_size);
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Reads the tensors of a torch.save file without running any of it, and writes files torch.load reads. Both
// formats that people have are read: zip archives (PyTorch 1.6 and later) and the legacy sequence of pickles;
// the tensors may be at the top or under `state_dict`. Needed because LibTorch 1.13's reader knows neither
// the legacy format nor dicts of one entry, and because a checkpoint is somebody else's file: nothing in it
// is trusted, whatever it says costs at most a few times the file's size. A Checkpoint owns the file's bytes
// and its tensors are views of them; immutable, thread-safe.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/engine/checkpoint/tensor.hpp"

namespace dofa::checkpoint {

inline constexpr std::size_t kMaxFileBytes = std::size_t{2} << 30;

class Checkpoint {
 public:
  Checkpoint(std::vector<std::byte> file, std::map<std::string, Tensor> tensors)
      : file_(std::move(file)), tensors_(std::move(tensors)) {}
  Checkpoint(Checkpoint&&) = default;
  Checkpoint& operator=(Checkpoint&&) = default;
  Checkpoint(const Checkpoint&) = delete;  // the tensors point into file_
  Checkpoint& operator=(const Checkpoint&) = delete;

  [[nodiscard]] const std::map<std::string, Tensor>& tensors() const { return tensors_; }

 private:
  std::vector<std::byte> file_;
  std::map<std::string, Tensor> tensors_;
};

/// Parses a whole file. kInvalidArgument says in one line what is refused or damaged. Only the fuzzer turns
/// the checksums off.
Result<Checkpoint> parse_checkpoint(std::vector<std::byte> file, bool verify_checksums = true);
/// Reads `path`: kNotFound where it cannot be opened, otherwise as parse_checkpoint, with the path in front.
Result<Checkpoint> read_checkpoint(const std::string& path);

/// A tensor to write: contiguous float32.
struct FloatTensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;  ///< row-major, as many as the shape says
};

/// The bytes of a torch.save file (zip format) holding this flat dict; equal tensors give equal bytes.
std::vector<std::byte> format_checkpoint(const std::map<std::string, FloatTensor>& tensors);
/// Writes it to `path` through a temporary file beside it, so that a reader never sees half of it.
Result<void> write_checkpoint(const std::string& path, const std::map<std::string, FloatTensor>& tensors);

}  // namespace dofa::checkpoint

// SPDX-License-Identifier: Apache-2.0
// Frames into a network's input on the GPU: resize, crop and normalisation as engine/preprocess does them, by
// a kernel. Belongs to one thread and one GPU. After the first frame of a size and level it allocates
// nothing. Functions throw Fault where the GPU fails; what is wrong with a frame is a Result.
#pragma once

#include <vector>

#include "daemon/engine/cuda/device.hpp"
#include "daemon/engine/preprocess.hpp"

namespace dofa::engine::cuda {

class FrameInput {
 public:
  /// `resolutions`: of all levels. A new frame size is prepared for all of them at once, so that choosing
  /// another level costs nothing.
  FrameInput(const config::Preprocessing& recipe, const std::vector<std::uint32_t>& resolutions);

  /// Puts on `stream` what fills `to` (GPU memory, 3 x resolution x resolution floats). Wait for the stream
  /// before the next call: the pinned copy of the frame is there once. kFailed: no memory for a frame of this
  /// size; throws Fault for whatever else goes wrong on the GPU.
  Result<void> put(const ImageView& image, std::uint32_t resolution, float* to, cudaStream_t stream);

 private:
  /// The taps of one frame size at one resolution; offsets are bytes into Size::memory.
  struct Taps {
    std::uint32_t resolution = 0;
    std::uint32_t first_row = 0, row_count = 0;  ///< of the source that the crop needs
    std::uint32_t column_taps = 0, row_taps = 0;
    std::size_t columns_first = 0, columns_weights = 0, rows_first = 0, rows_weights = 0;
  };
  struct Size {
    std::uint32_t width = 0, height = 0;
    std::vector<Taps> taps;
    DeviceBuffer memory;
  };

  Result<void> put_in(const ImageView& image, std::uint32_t resolution, float* to, cudaStream_t stream);
  const Size& size_for(std::uint32_t width, std::uint32_t height);
  Size plan_size(std::uint32_t width, std::uint32_t height) const;
  void reserve(std::size_t bytes);

  config::Preprocessing recipe_;
  std::vector<std::uint32_t> resolutions_;  ///< distinct
  std::vector<Size> sizes_;
  std::size_t replaced_ = 0;
  PinnedBuffer staging_;
  DeviceBuffer frame_;
};

}  // namespace dofa::engine::cuda

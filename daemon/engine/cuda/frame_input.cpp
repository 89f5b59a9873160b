// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/cuda/frame_input.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include "daemon/engine/cuda/frame_rows.hpp"
#include "daemon/engine/cuda/kernels.hpp"

namespace dofa::engine::cuda {
namespace {

constexpr std::size_t kSizesKept = 16;  // one is some 100 KB for six resolutions

template <class Value>
std::size_t append(std::vector<std::byte>& to, const std::vector<Value>& values) {
  const std::size_t at = to.size();
  to.resize(at + values.size() * sizeof(Value));
  std::memcpy(to.data() + at, values.data(), values.size() * sizeof(Value));
  return at;
}

}  // namespace

FrameInput::FrameInput(const config::Preprocessing& recipe, const std::vector<std::uint32_t>& resolutions)
    : recipe_(recipe), resolutions_(resolutions) {
  std::ranges::sort(resolutions_);
  const auto rest = std::ranges::unique(resolutions_);
  resolutions_.erase(rest.begin(), rest.end());
  sizes_.reserve(kSizesKept);
}

FrameInput::Size FrameInput::plan_size(std::uint32_t width, std::uint32_t height) const {
  Size size{width, height, {}, {}};
  std::vector<std::byte> bytes;  // only 4-byte values: aligned wherever one starts
  for (const std::uint32_t resolution : resolutions_) {
    ResampleAxis columns, rows;
    plan_crop(recipe_, width, height, resolution, columns, rows);
    Taps taps{resolution, rows.first.front(), 0, columns.taps, rows.taps, 0, 0, 0, 0};
    taps.row_count = rows.first.back() + rows.taps - taps.first_row;
    taps.columns_first = append(bytes, columns.first);
    taps.columns_weights = append(bytes, columns.weights);
    taps.rows_first = append(bytes, rows.first);
    taps.rows_weights = append(bytes, rows.weights);
    size.taps.push_back(taps);
  }
  size.memory = DeviceBuffer(bytes.size());
  upload(size.memory, bytes.data(), bytes.size());
  return size;
}

const FrameInput::Size& FrameInput::size_for(std::uint32_t width, std::uint32_t height) {
  for (const Size& size : sizes_)
    if (size.width == width && size.height == height) return size;
  Size size = plan_size(width, height);
  if (sizes_.size() < kSizesKept) return sizes_.emplace_back(std::move(size));
  Size& place = sizes_[replaced_++ % kSizesKept];
  place = std::move(size);
  return place;
}

void FrameInput::reserve(std::size_t bytes) {
  if (bytes <= staging_.bytes()) return;
  frame_ = DeviceBuffer();  // the old ones first: a large frame need not fit twice
  staging_ = PinnedBuffer();
  frame_ = DeviceBuffer(bytes);
  staging_ = PinnedBuffer(bytes);
}

Result<void> FrameInput::put(const ImageView& image, std::uint32_t resolution, float* to,
                             cudaStream_t stream) {
  try {
    return put_in(image, resolution, to, stream);
  } catch (const Fault& fault) {
    // A frame too large for what is left of the GPU's memory is no reason to take the GPU from everybody.
    if (fault.error.code != ErrorCode::kResourceExhausted) throw;
    return Error{ErrorCode::kFailed, "no room for a frame of this size: " + fault.error.message};
  }
}

Result<void> FrameInput::put_in(const ImageView& image, std::uint32_t resolution, float* to,
                                cudaStream_t stream) {
  const ImageLayout& layout = image.layout;
  if (layout.format == PixelFormat::kFloat32Nchw) {
    const std::size_t values = std::size_t{3} * resolution * resolution;
    reserve(values * sizeof(float));
    if (auto copied = copy_normalised(image, resolution, {staging_.as<float>(), values}); !copied)
      return copied;
    check(cudaMemcpyAsync(to, staging_.data(), values * sizeof(float), cudaMemcpyHostToDevice, stream),
          "copying a frame to the GPU");
    return {};
  }
  const Size& size = size_for(layout.width, layout.height);
  const auto taps = std::ranges::find(size.taps, resolution, &Taps::resolution);
  if (taps == size.taps.end())
    return Error{ErrorCode::kFailed, "preprocessing for a resolution that no level has"};
  const FrameRows rows = frame_rows(layout, taps->first_row, taps->row_count);
  reserve(frame_rows(layout, 0, layout.height)
              .bytes());  // of the whole frame: another level's crop finds room too
  copy_rows(image, rows, staging_.data());
  check(cudaMemcpyAsync(frame_.data(), staging_.data(), rows.bytes(), cudaMemcpyHostToDevice, stream),
        "copying a frame to the GPU");
  const std::byte* memory = size.memory.data();
  const auto axis = [&](std::size_t first, std::size_t weights, std::uint32_t count) {
    return AxisArgs{reinterpret_cast<const std::uint32_t*>(memory + first),
                    reinterpret_cast<const float*>(memory + weights), count};
  };
  FrameArgs args{frame_.as<std::uint8_t>(),
                 frame_.as<std::uint8_t>() + rows.chroma_at,
                 axis(taps->columns_first, taps->columns_weights, taps->column_taps),
                 axis(taps->rows_first, taps->rows_weights, taps->row_taps),
                 to,
                 {},
                 {},
                 taps->first_row,
                 layout.stride,
                 resolution,
                 layout.format};
  for (std::size_t channel = 0; channel < 3; ++channel) {
    args.gain[channel] = 1.0F / (255.0F * recipe_.std[channel]);
    args.shift[channel] = -recipe_.mean[channel] / recipe_.std[channel];
  }
  launch(args, stream);
  return {};
}

}  // namespace dofa::engine::cuda

// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/ofa/naive_ofa.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

namespace dofa::engine::test {
namespace {

constexpr int kStem = 8;
constexpr int kStageWidths[5] = {8, 16, 24, 24, 32};
constexpr bool kHasSqueeze[5] = {false, true, false, true, true};
constexpr bool kIsHardSwish[5] = {false, false, true, true, true};

class Net {
 public:
  Net(const FloatTensors& tensors, const Statistics& statistics, Statistics* batch_statistics)
      : tensors_(tensors), statistics_(statistics), batch_statistics_(batch_statistics) {}

  const std::vector<float>& values(const std::string& name) const { return tensors_.at(name).values; }

  /// `weight(o, i, ky, kx)` of `out` channels; grouped: input channel o alone.
  static Maps convolve(const Maps& x, int out, int kernel, int stride, bool grouped,
                       const std::function<double(int, int, int, int)>& weight) {
    Maps y(x.count, out, (x.side + stride - 1) / stride);
    for (int n = 0; n < y.count; ++n)
      for (int o = 0; o < out; ++o)
        for (int row = 0; row < y.side; ++row)
          for (int column = 0; column < y.side; ++column) {
            double sum = 0;
            for (int i = grouped ? o : 0; i < (grouped ? o + 1 : x.channels); ++i)
              for (int ky = 0; ky < kernel; ++ky)
                for (int kx = 0; kx < kernel; ++kx) {
                  const int sy = row * stride + ky - kernel / 2;
                  const int sx = column * stride + kx - kernel / 2;
                  if (sy >= 0 && sx >= 0 && sy < x.side && sx < x.side)
                    sum += x.at(n, i, sy, sx) * weight(o, i, ky, kx);
                }
            y.at(n, o, row, column) = sum;
          }
    return y;
  }

  /// 1x1 with the leading corner of a matrix.
  Maps pointwise(const Maps& x, int out, const std::string& name) const {
    const auto& matrix = tensors_.at(name);
    const auto width = static_cast<std::size_t>(matrix.shape[1]);
    return convolve(x, out, 1, 1, false,
                    [&](int o, int i, int, int) { return matrix.values[o * width + i]; });
  }

  /// `name` in the checkpoint, `layer` in the extracted sub-network.
  void normalise(Maps& x, const std::string& name, const std::string& layer) {
    Moments moments;
    if (batch_statistics_ == nullptr) {
      moments = statistics_.at(layer);
    } else {
      for (int c = 0; c < x.channels; ++c) {
        double sum = 0;
        double squares = 0;
        const double count = static_cast<double>(x.count) * x.side * x.side;
        for_channel(x, c, [&](double& value) { sum += value; });
        const double mean = sum / count;
        for_channel(x, c, [&](double& value) { squares += (value - mean) * (value - mean); });
        moments.mean.push_back(static_cast<float>(mean));
        moments.variance.push_back(static_cast<float>(squares / count));
      }
      (*batch_statistics_)[layer] = moments;
    }
    for (int c = 0; c < x.channels; ++c)
      for_channel(x, c, [&](double& value) {
        value =
            (value - moments.mean[c]) / std::sqrt(moments.variance[c] + 1e-5) * values(name + ".weight")[c] +
            values(name + ".bias")[c];
      });
  }

  static double hard_sigmoid(double x) { return std::min(std::max(x + 3, 0.0), 6.0) / 6; }
  static void activate(Maps& x, bool hard_swish) {
    for (double& value : x.values) value = hard_swish ? value * hard_sigmoid(value) : std::max(value, 0.0);
  }

  static Maps mean(const Maps& x) {
    Maps y(x.count, x.channels, 1);
    for (int n = 0; n < x.count; ++n)
      for (int c = 0; c < x.channels; ++c) {
        for (int row = 0; row < x.side; ++row)
          for (int column = 0; column < x.side; ++column) y.at(n, c, 0, 0) += x.at(n, c, row, column);
        y.at(n, c, 0, 0) /= x.side * x.side;
      }
    return y;
  }

  void squeeze_excite(Maps& x, const std::string& name) const {
    const int quarter = x.channels / 4;
    int squeezed = std::max(8, (quarter + 4) / 8 * 8);
    if (squeezed < 0.9 * quarter) squeezed += 8;
    const auto add_bias = [&](Maps& y, const std::string& bias) {
      for (int c = 0; c < y.channels; ++c)
        for_channel(y, c, [&](double& value) { value += values(bias)[c]; });
    };
    Maps y = pointwise(mean(x), squeezed, name + "reduce.weight");
    add_bias(y, name + "reduce.bias");
    activate(y, false);
    y = pointwise(y, x.channels, name + "expand.weight");
    add_bias(y, name + "expand.bias");
    for (int n = 0; n < x.count; ++n)
      for (int c = 0; c < x.channels; ++c)
        for (int row = 0; row < x.side; ++row)
          for (int column = 0; column < x.side; ++column)
            x.at(n, c, row, column) *= hard_sigmoid(y.at(n, c, 0, 0));
  }

  /// One channel's depthwise kernel: 7x7 as stored, 5x5 its middle times 7to5_matrix, 3x3 that one's middle
  /// times 5to3.
  std::vector<double> kernel_of(const std::string& name, int channel, int size) const {
    const auto& stored = values(name + "weight");
    std::vector<double> kernel(stored.begin() + channel * 49, stored.begin() + (channel + 1) * 49);
    for (int from = 7; from > size; from -= 2) {
      const int to = from - 2;
      const auto& matrix = values(name + std::to_string(from) + "to" + std::to_string(to) + "_matrix");
      std::vector<double> middle;
      for (int y = 1; y <= to; ++y)
        for (int x = 1; x <= to; ++x) middle.push_back(kernel[y * from + x]);
      std::vector<double> smaller(to * to, 0.0);
      for (int i = 0; i < to * to; ++i)
        for (int j = 0; j < to * to; ++j) smaller[i] += matrix[i * to * to + j] * middle[j];
      kernel = smaller;
    }
    return kernel;
  }

 private:
  template <class Function>
  static void for_channel(Maps& x, int channel, Function&& function) {
    for (int n = 0; n < x.count; ++n)
      for (int row = 0; row < x.side; ++row)
        for (int column = 0; column < x.side; ++column) function(x.at(n, channel, row, column));
  }

  const FloatTensors& tensors_;
  const Statistics& statistics_;
  Statistics* batch_statistics_;
};

}  // namespace

FloatTensors random_tensors(unsigned seed) {
  std::mt19937 dice(seed);
  FloatTensors tensors;
  const auto add = [&](const std::string& name, const std::vector<std::int64_t>& shape, double centre,
                       double spread) {
    std::int64_t count = 1;
    for (const auto size : shape) count *= size;
    std::normal_distribution<float> normal(static_cast<float>(centre), static_cast<float>(spread));
    auto& tensor = tensors[name];
    tensor.shape = shape;
    for (std::int64_t i = 0; i < count; ++i) tensor.values.push_back(normal(dice));
  };
  const auto add_conv = [&](const std::string& name, std::int64_t out, std::int64_t in, std::int64_t kernel) {
    add(name + ".weight", {out, in, kernel, kernel}, 0,
        1 / std::sqrt(static_cast<double>(in * kernel * kernel)));
  };
  const auto add_norm = [&](const std::string& name, std::int64_t channels) {
    add(name + ".weight", {channels}, 1, 0.2);
    add(name + ".bias", {channels}, 0, 0.2);
  };
  add_conv("first_conv.conv", kStem, 3, 3);
  add_norm("first_conv.bn", kStem);
  add_conv("blocks.0.conv.depth_conv.conv", kStem, 1, 3);
  add_norm("blocks.0.conv.depth_conv.bn", kStem);
  add_conv("blocks.0.conv.point_linear.conv", kStem, kStem, 1);
  add_norm("blocks.0.conv.point_linear.bn", kStem);
  std::int64_t in = kStem;
  for (int block = 1; block <= 20; ++block) {
    const std::string name = "blocks." + std::to_string(block) + ".conv.";
    const int stage = (block - 1) / 4;
    const std::int64_t mid = in * 6;
    add_conv(name + "inverted_bottleneck.conv", mid, in, 1);
    add_norm(name + "inverted_bottleneck.bn", mid);
    add_conv(name + "depth_conv.conv", mid, 1, 7);
    add(name + "depth_conv.conv.7to5_matrix", {25, 25}, 0, 0.3);
    add(name + "depth_conv.conv.5to3_matrix", {9, 9}, 0, 0.5);
    add_norm(name + "depth_conv.bn", mid);
    if (kHasSqueeze[stage]) {
      const std::int64_t squeezed = make_divisible(static_cast<double>(mid / 4));
      add_conv(name + "depth_conv.se.fc.reduce", squeezed, mid, 1);
      add(name + "depth_conv.se.fc.reduce.bias", {squeezed}, 0, 0.5);
      add_conv(name + "depth_conv.se.fc.expand", mid, squeezed, 1);
      add(name + "depth_conv.se.fc.expand.bias", {mid}, 0, 2);
    }
    add_conv(name + "point_linear.conv", kStageWidths[stage], mid, 1);
    add_norm(name + "point_linear.bn", kStageWidths[stage]);
    in = kStageWidths[stage];
  }
  add_conv("final_expand_layer.conv", 48, in, 1);
  add_norm("final_expand_layer.bn", 48);
  add_conv("feature_mix_layer.conv", 56, 48, 1);
  add("classifier.linear.weight", {10, 56}, 0, 0.2);
  add("classifier.linear.bias", {10}, 0, 0.2);
  return tensors;
}

config::OfaArchitecture random_architecture(unsigned seed) {
  std::mt19937 dice(seed);
  config::OfaArchitecture architecture;
  for (auto& kernel : architecture.kernel_sizes) kernel = static_cast<std::uint8_t>(3 + 2 * (dice() % 3));
  for (auto& ratio : architecture.expand_ratios) ratio = static_cast<std::uint8_t>("\3\4\6"[dice() % 3]);
  for (auto& depth : architecture.depths) depth = static_cast<std::uint8_t>(2 + dice() % 3);
  return architecture;
}

Statistics random_statistics(const Supernet& supernet, const config::OfaArchitecture& architecture,
                             unsigned seed) {
  std::mt19937 dice(seed);
  std::normal_distribution<float> mean(0, 0.3F);
  std::uniform_real_distribution<float> variance(0.3F, 1.5F);
  Subnet subnet = *extract_subnet(supernet, architecture);
  Statistics statistics;
  for (const NormLayer& layer : norm_layers(supernet, subnet)) {
    for (std::uint32_t i = 0; i < layer.channels; ++i) {
      statistics[layer.name].mean.push_back(mean(dice));
      statistics[layer.name].variance.push_back(variance(dice));
    }
  }
  return statistics;
}

config::OfaSupernet strides_of(unsigned seed) {
  config::OfaSupernet strides;
  if (seed % 2 == 1) {
    strides.stem_stride = 1;
    strides.stage_strides = {1, 2, 2, 1, 1};
  }
  return strides;
}

Maps random_images(int count, int side, unsigned seed) {
  std::mt19937 dice(seed);
  std::normal_distribution<float> normal;
  Maps images(count, 3, side);
  for (double& value : images.values) value = static_cast<double>(normal(dice));
  return images;
}

std::vector<double> run_naively(const FloatTensors& tensors, const config::OfaArchitecture& architecture,
                                const config::OfaSupernet& strides, const Maps& images,
                                const Statistics& statistics, Statistics* batch_statistics) {
  Net net(tensors, statistics, batch_statistics);
  const auto& stem = net.values("first_conv.conv.weight");
  Maps x = Net::convolve(images, kStem, 3, static_cast<int>(strides.stem_stride), false,
                         [&](int o, int i, int y, int c) { return stem[((o * 3 + i) * 3 + y) * 3 + c]; });
  net.normalise(x, "first_conv.bn", "first_conv.bn");
  Net::activate(x, true);

  const Maps stem_out = x;
  const auto& first = net.values("blocks.0.conv.depth_conv.conv.weight");
  x = Net::convolve(x, kStem, 3, 1, true,
                    [&](int o, int, int y, int c) { return first[(o * 3 + y) * 3 + c]; });
  net.normalise(x, "blocks.0.conv.depth_conv.bn", "blocks.0.conv.depth_conv.bn");
  Net::activate(x, false);
  x = net.pointwise(x, kStem, "blocks.0.conv.point_linear.conv.weight");
  net.normalise(x, "blocks.0.conv.point_linear.bn", "blocks.0.conv.point_linear.bn");
  for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] += stem_out.values[i];

  int extracted = 1;
  for (int stage = 0; stage < 5; ++stage) {
    for (int i = 0; i < architecture.depths[stage]; ++i, ++extracted) {
      const int entry = stage * 4 + i;
      const std::string name = "blocks." + std::to_string(entry + 1) + ".conv.";
      const std::string layer = "blocks." + std::to_string(extracted) + ".conv.";
      const Maps input = x;
      const int mid = input.channels * architecture.expand_ratios[entry];  // widths are multiples of 8
      x = net.pointwise(x, mid, name + "inverted_bottleneck.conv.weight");
      net.normalise(x, name + "inverted_bottleneck.bn", layer + "inverted_bottleneck.bn");
      Net::activate(x, kIsHardSwish[stage]);
      const int kernel = architecture.kernel_sizes[entry];
      std::vector<std::vector<double>> kernels;
      for (int c = 0; c < mid; ++c) kernels.push_back(net.kernel_of(name + "depth_conv.conv.", c, kernel));
      const int stride = i == 0 ? strides.stage_strides[stage] : 1;
      x = Net::convolve(x, mid, kernel, stride, true,
                        [&](int o, int, int y, int c) { return kernels[o][y * kernel + c]; });
      net.normalise(x, name + "depth_conv.bn", layer + "depth_conv.bn");
      Net::activate(x, kIsHardSwish[stage]);
      if (kHasSqueeze[stage]) net.squeeze_excite(x, name + "depth_conv.se.fc.");
      x = net.pointwise(x, kStageWidths[stage], name + "point_linear.conv.weight");
      net.normalise(x, name + "point_linear.bn", layer + "point_linear.bn");
      if (stride == 1 && input.channels == x.channels)
        for (std::size_t j = 0; j < x.values.size(); ++j) x.values[j] += input.values[j];
    }
  }
  x = net.pointwise(x, 48, "final_expand_layer.conv.weight");
  net.normalise(x, "final_expand_layer.bn", "final_expand_layer.bn");
  Net::activate(x, true);
  x = net.pointwise(Net::mean(x), 56, "feature_mix_layer.conv.weight");
  Net::activate(x, true);
  x = net.pointwise(x, 10, "classifier.linear.weight");
  for (int n = 0; n < x.count; ++n)
    for (int c = 0; c < 10; ++c) x.at(n, c, 0, 0) += net.values("classifier.linear.bias")[c];
  return x.values;
}

}  // namespace dofa::engine::test

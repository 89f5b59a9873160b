// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/kernels/plan.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "daemon/engine/kernels/strips.hpp"

namespace dofa::engine::kernels {
namespace {
constexpr int kMaxSide = 1024;
constexpr int kMaxImageChannels = 4;
constexpr int kMaxConvKernel = 7;
int out_size(int in, int pad_before, int pad_after, int kernel, int stride) {
  const int span = in + pad_before + pad_after - kernel;
  return span < 0 ? 0 : span / stride + 1;
}
}  // namespace

void ArenaSizes::merge(const ArenaSizes& other) {
  features = std::max(features, other.features);
  mid = std::max(mid, other.mid);
  ring = std::max(ring, other.ring);
  strip = std::max(strip, other.strip);
  image = std::max(image, other.image);
  vector = std::max(vector, other.vector);
  scaled = std::max(scaled, other.scaled);
}

/// Reads the layers from first to last and fills a plan. `error_` is set by the first thing that does not
/// fit.
class PlanBuilder {
 public:
  PlanBuilder(const std::vector<Layer>& layers, Shape input) : layers_(layers), now_(input) {
    plan_.input_ = input;
  }

  Result<Plan> build();

 private:
  template <class T>
  const T* at(std::size_t index) const {
    return index < layers_.size() ? std::get_if<T>(&layers_[index]) : nullptr;
  }
  void fail(ErrorCode code, const std::string& what) {
    if (!error_) error_ = Error{code, "layer " + std::to_string(next_) + ": " + what};
  }
  void unsupported(const std::string& what) { fail(ErrorCode::kNotSupported, what); }
  void invalid(const std::string& what) { fail(ErrorCode::kInvalidArgument, what); }

  void count_values();
  Epilogue epilogue(const Affine& affine, Activation activation, int channels);
  const float* values(const std::vector<float>& from, int channels, float otherwise);
  DenseStep dense(const MatrixWeights& weights, int in, int out, const Affine& affine, Activation activation);

  void block();
  void conv_producer(BlockStep& step, const ConvLayer& layer);
  void depthwise(BlockStep& step, const DepthwiseLayer& layer);
  void gates(BlockStep& step, const SqueezeExciteLayer& layer);
  void project(BlockStep& step, const PointwiseLayer& layer);
  void pointwise(const PointwiseLayer& layer);
  void linear(const LinearLayer& layer);

  const std::vector<Layer>& layers_;
  Plan plan_;
  Shape now_;             ///< what the next layer reads
  std::size_t next_ = 0;  ///< the next layer
  bool is_image_ = true;  ///< planar, not in blocks
  bool is_vector_ = false;
  std::size_t used_ = 0;  ///< of plan_.values_
  std::optional<Error> error_;
};

/// One allocation for all scales and biases: their sizes are known from the layers.
void PlanBuilder::count_values() {
  std::size_t blocks = 0;
  for (const Layer& layer : layers_) {
    if (const auto* l = std::get_if<ConvLayer>(&layer)) blocks += 2 * blocks_of(std::max(l->out_channels, 0));
    if (const auto* l = std::get_if<PointwiseLayer>(&layer))
      blocks += 2 * blocks_of(std::max(l->out_channels, 0));
    if (const auto* l = std::get_if<DepthwiseLayer>(&layer))
      blocks += 2 * blocks_of(std::max(l->weights.channels, 0));
    if (const auto* l = std::get_if<LinearLayer>(&layer))
      blocks += 2 * blocks_of(std::max(l->out_channels, 0));
    if (const auto* l = std::get_if<SqueezeExciteLayer>(&layer))
      blocks +=
          2 * blocks_of(std::max(l->hidden_channels, 0)) + 2 * blocks_of(std::max(l->expand.out_channels, 0));
  }
  plan_.values_ = FloatBuffer(blocks * kBlock);
}

const float* PlanBuilder::values(const std::vector<float>& from, int channels, float otherwise) {
  if (!from.empty() && from.size() != static_cast<std::size_t>(channels)) {
    invalid("has " + std::to_string(from.size()) + " scales or biases for " + std::to_string(channels) +
            " channels");
    return nullptr;
  }
  float* to = plan_.values_.data() + used_;
  used_ += static_cast<std::size_t>(blocks_of(channels)) * kBlock;
  // Lanes past the last channel keep zeros: whatever their weights are, what comes out is 0.
  if (from.empty())
    std::fill_n(to, channels, otherwise);
  else
    std::copy(from.begin(), from.end(), to);
  return to;
}

Epilogue PlanBuilder::epilogue(const Affine& affine, Activation activation, int channels) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Epilogue e;
  auto* scale = const_cast<float*>(values(affine.scale, channels, 1));
  auto* bias = const_cast<float*>(values(affine.bias, channels, 0));
  if (scale == nullptr || bias == nullptr) return e;
  e.scale = scale;
  e.bias = bias;
  e.low = activation == Activation::kNone ? -kInfinity : 0;
  e.high = activation == Activation::kRelu6 ? 6 : activation == Activation::kHardSigmoid ? 1 : kInfinity;
  e.hard_swish = activation == Activation::kHardSwish;
  if (activation == Activation::kHardSigmoid) {
    for (int c = 0; c < channels; ++c) {
      scale[c] /= 6;
      bias[c] = bias[c] / 6 + 0.5f;
    }
  }
  return e;
}

DenseStep PlanBuilder::dense(const MatrixWeights& weights, int in, int out, const Affine& affine,
                             Activation activation) {
  DenseStep step;
  if (weights.data == nullptr || out < 1 || out > weights.out_channels || in > weights.in_channels) {
    invalid("needs " + std::to_string(out) + " x " + std::to_string(in) + " weights of " +
            std::to_string(weights.out_channels) + " x " + std::to_string(weights.in_channels));
    return step;
  }
  step.weights = weights.data;
  step.weight_block = static_cast<std::size_t>(weights.in_channels) * kBlock;
  step.precision = weights.precision;
  step.in_channels = in;
  step.out_channels = out;
  step.epilogue = epilogue(affine, activation, out);
  return step;
}

Result<Plan> PlanBuilder::build() {
  if (now_.channels < 1 || now_.channels > kMaxImageChannels || std::min(now_.height, now_.width) < 1 ||
      std::max(now_.height, now_.width) > kMaxSide)
    unsupported("images of this size");
  count_values();
  while (!error_ && next_ < layers_.size()) {
    if (at<ConvLayer>(next_) || at<DepthwiseLayer>(next_) ||
        (at<PointwiseLayer>(next_) && at<DepthwiseLayer>(next_ + 1)))
      block();
    else if (const auto* l = at<PointwiseLayer>(next_))
      pointwise(*l);
    else if (const auto* linear_layer = at<LinearLayer>(next_))
      linear(*linear_layer);
    else
      unsupported("squeeze-and-excite follows a depthwise layer, a global pool a pointwise layer");
  }
  if (!error_ && !is_vector_) unsupported("a network ends in a vector");
  if (error_) return *error_;
  plan_.outputs_ = now_.channels;
  plan_.arena_.vector =
      std::max(plan_.arena_.vector, static_cast<std::size_t>(blocks_of(now_.channels)) * kBlock);
  return std::move(plan_);
}

void PlanBuilder::block() {
  BlockStep step;
  step.in = now_;
  const std::size_t first = next_;
  if (const auto* conv = at<ConvLayer>(next_)) {
    conv_producer(step, *conv);
  } else if (is_image_ || is_vector_) {
    return unsupported("the first layer is a dense convolution");
  } else if (const auto* expand = at<PointwiseLayer>(next_)) {
    if (expand->residual_from >= 0) return unsupported("a residual into a layer before a depthwise one");
    step.producer = Producer::kPointwise;
    step.first =
        dense(expand->weights, now_.channels, expand->out_channels, expand->affine, expand->activation);
    if (expand->weights.precision != Precision::kFloat)
      return unsupported("pointwise weights in half precision");
    step.produced = {expand->out_channels, now_.height, now_.width};
    ++next_;
  } else {
    step.produced = now_;
  }
  const auto* filter = at<DepthwiseLayer>(next_);
  if (!error_ && filter == nullptr) return unsupported("a depthwise layer was expected");
  if (error_) return;
  depthwise(step, *filter);
  if (const auto* se = at<SqueezeExciteLayer>(next_); se != nullptr && !error_) gates(step, *se);
  step.out = step.mid;
  // A pointwise layer that another depthwise one follows becomes the next block's producer (MobileNetV1).
  const auto* last = at<PointwiseLayer>(next_);
  const bool pooled = at<GlobalPoolLayer>(next_ + 1) != nullptr;
  if (last != nullptr && !pooled && (last->residual_from >= 0 || at<DepthwiseLayer>(next_ + 1) == nullptr) &&
      !error_) {
    if (last->residual_from >= 0) {
      if (last->residual_from + 1 == static_cast<int>(first))
        step.residual = Residual::kInput;
      else if (last->residual_from == static_cast<int>(first) && step.producer != Producer::kCopy &&
               !step.gated)
        step.residual = Residual::kProduced;
      else
        return unsupported("a residual from outside its block");
    }
    project(step, *last);
  }
  if (error_) return;
  plan_.arena_.merge(choose_strips(step));
  is_image_ = false;
  now_ = step.out;
  ArenaSizes sizes;
  sizes.features = step.out.floats();
  plan_.arena_.merge(sizes);
  plan_.steps_.emplace_back(step);
}

void PlanBuilder::conv_producer(BlockStep& step, const ConvLayer& l) {
  if (!is_image_) return unsupported("a dense convolution after the first layer");
  if (l.weights.in_channels != now_.channels)
    return invalid("convolution over another number of channels than the image has");
  if (l.weights.kernel < 1 || l.weights.kernel > kMaxConvKernel || l.stride < 1 || l.pad_before < 0 ||
      l.pad_after < 0 || l.pad_before >= l.weights.kernel || l.pad_after >= l.weights.kernel)
    return unsupported("this kernel size, stride or padding");
  const int k = l.weights.kernel;
  const int taps = now_.channels * k * k;
  step.producer = Producer::kConv;
  step.first = dense({l.weights.data, l.weights.out_channels, taps, Precision::kFloat}, taps, l.out_channels,
                     l.affine, l.activation);
  step.conv_kernel = k;
  step.conv_stride = l.stride;
  step.conv_pad_before = l.pad_before;
  step.conv_pad_after = l.pad_after;
  step.produced = {l.out_channels, out_size(now_.height, l.pad_before, l.pad_after, k, l.stride),
                   out_size(now_.width, l.pad_before, l.pad_after, k, l.stride)};
  plan_.macs_ += static_cast<std::int64_t>(step.produced.pixels()) * l.out_channels * taps;
  ++next_;
}

void PlanBuilder::depthwise(BlockStep& step, const DepthwiseLayer& l) {
  const int k = l.weights.kernel;
  if ((k != 3 && k != 5 && k != 7) || (l.stride != 1 && l.stride != 2) || l.pad_before < 0 ||
      l.pad_after < 0 || l.pad_before >= k || l.pad_after >= k)
    return unsupported("this kernel size, stride or padding");
  if (step.produced.channels % 8 != 0) return unsupported("channels are no multiple of 8");
  if (l.weights.channels < step.produced.channels) return invalid("fewer depthwise weights than channels");
  step.mid = {step.produced.channels, out_size(step.produced.height, l.pad_before, l.pad_after, k, l.stride),
              out_size(step.produced.width, l.pad_before, l.pad_after, k, l.stride)};
  if (step.mid.pixels() == 0) return unsupported("the image is too small");
  DepthwiseArgs& d = step.depthwise;
  d.in_height = step.produced.height;
  d.pad_before = l.pad_before;
  d.kernel = k;
  d.stride = l.stride;
  d.weights = l.weights.data;
  d.epilogue = epilogue(l.affine, l.activation, step.mid.channels);
  d.width = step.mid.width;
  plan_.macs_ += static_cast<std::int64_t>(step.mid.pixels()) * step.mid.channels * k * k;
  if (step.producer == Producer::kPointwise)
    plan_.macs_ +=
        static_cast<std::int64_t>(step.produced.pixels()) * step.in.channels * step.produced.channels;
  ++next_;
}

void PlanBuilder::gates(BlockStep& step, const SqueezeExciteLayer& l) {
  if (l.hidden_channels % 8 != 0) return unsupported("squeeze-and-excite channels are no multiple of 8");
  step.gated = true;
  const int channels = step.mid.channels;
  step.reduce = dense(l.reduce, channels, l.hidden_channels, {{}, l.reduce_bias}, Activation::kRelu);
  step.expand = dense(l.expand, l.hidden_channels, channels, {{}, l.expand_bias}, Activation::kHardSigmoid);
  plan_.macs_ += std::int64_t{2} * channels * l.hidden_channels;
  ++next_;
}

void PlanBuilder::project(BlockStep& step, const PointwiseLayer& l) {
  if (l.out_channels % 8 != 0) return unsupported("channels are no multiple of 8");
  if (l.weights.precision != Precision::kFloat) return unsupported("pointwise weights in half precision");
  step.projected = true;
  step.project = dense(l.weights, step.mid.channels, l.out_channels, l.affine, l.activation);
  step.out.channels = l.out_channels;
  const Shape& added = step.residual == Residual::kInput ? step.in : step.produced;
  if (step.residual != Residual::kNone &&
      (added.channels != step.out.channels || added.height != step.out.height ||
       added.width != step.out.width || (step.residual == Residual::kInput && is_image_)))
    return invalid("a residual of another shape");
  plan_.macs_ += static_cast<std::int64_t>(step.out.pixels()) * step.mid.channels * l.out_channels;
  ++next_;
}

void PlanBuilder::pointwise(const PointwiseLayer& l) {
  if (is_image_ || is_vector_) return unsupported("a pointwise layer reads a feature map");
  if (l.out_channels % 8 != 0) return unsupported("channels are no multiple of 8");
  if (l.weights.precision != Precision::kFloat) return unsupported("pointwise weights in half precision");
  PointwiseStep step;
  step.in = now_;
  step.out = {l.out_channels, now_.height, now_.width};
  step.dense = dense(l.weights, now_.channels, l.out_channels, l.affine, l.activation);
  step.pooled = at<GlobalPoolLayer>(next_ + 1) != nullptr;
  step.residual = l.residual_from >= 0;
  if (step.residual &&
      (l.residual_from + 1 != static_cast<int>(next_) || l.out_channels != now_.channels || step.pooled))
    return unsupported("a residual from another layer than the one before");
  plan_.macs_ += static_cast<std::int64_t>(now_.pixels()) * now_.channels * l.out_channels;
  now_ = step.out;
  is_vector_ = step.pooled;
  ArenaSizes sizes;
  if (!step.pooled) sizes.features = now_.floats();
  sizes.vector = static_cast<std::size_t>(blocks_of(now_.channels)) * kBlock;
  plan_.arena_.merge(sizes);
  if (step.pooled) now_.height = now_.width = 1;
  plan_.steps_.emplace_back(step);
  next_ += step.pooled ? 2 : 1;
}

void PlanBuilder::linear(const LinearLayer& l) {
  if (!is_vector_) return unsupported("a linear layer follows a global pool or a linear layer");
  if (now_.channels % 8 != 0) return unsupported("channels are no multiple of 8");
  LinearStep step{dense(l.weights, now_.channels, l.out_channels, l.affine, l.activation)};
  plan_.macs_ += static_cast<std::int64_t>(now_.channels) * l.out_channels;
  now_.channels = l.out_channels;
  ArenaSizes sizes;
  sizes.vector = static_cast<std::size_t>(blocks_of(now_.channels)) * kBlock;
  plan_.arena_.merge(sizes);
  plan_.steps_.emplace_back(step);
  ++next_;
}

Result<Plan> Plan::build(const std::vector<Layer>& layers, Shape input) {
  return PlanBuilder(layers, input).build();
}

}  // namespace dofa::engine::kernels

// SPDX-License-Identifier: Apache-2.0
#include "models/train/layers.hpp"

#include <torch/torch.h>

namespace dofa::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr double kEpsilon = 1e-5;

/// Whether kernels.hpp can do it.
bool has_kernels(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.size(3) % kChannelStep == 0;
}

DepthwiseShape shape_of(const at::Tensor& x, std::int64_t kernel, std::int64_t stride) {
  return {x.size(0), x.size(1), x.size(2), x.size(3), kernel, stride};
}

/// `weight` is [kernel * kernel][channels].
struct DepthwiseFunction : torch::autograd::Function<DepthwiseFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& weight,
                            std::int64_t kernel, std::int64_t stride) {
    const at::Tensor x = input.contiguous();
    const DepthwiseShape shape = shape_of(x, kernel, stride);
    at::Tensor out =
        at::empty({shape.batch, shape.out_height(), shape.out_width(), shape.channels}, x.options());
    depthwise_forward(shape, x.data_ptr<float>(), weight.data_ptr<float>(), out.data_ptr<float>());
    context->save_for_backward({x, weight});
    context->saved_data["kernel"] = kernel;
    context->saved_data["stride"] = stride;
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[1];
    const DepthwiseShape shape =
        shape_of(x, context->saved_data["kernel"].toInt(), context->saved_data["stride"].toInt());
    const at::Tensor gradient = gradients[0].contiguous();
    at::Tensor by_x = at::empty_like(x);
    at::Tensor by_weight = at::empty_like(weight);
    depthwise_backward_input(shape, gradient.data_ptr<float>(), weight.data_ptr<float>(),
                             by_x.data_ptr<float>());
    depthwise_backward_weight(shape, x.data_ptr<float>(), gradient.data_ptr<float>(),
                              by_weight.data_ptr<float>());
    return {by_x, by_weight, {}, {}};
  }
};

struct NormFunction : torch::autograd::Function<NormFunction> {
  /// `moments`: mean and inverse deviation, written here for the caller to keep.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& weight,
                            const at::Tensor& bias, std::int64_t activation, const at::Tensor& moments) {
    const at::Tensor x = input.contiguous();
    const NormShape shape = shape_from(x, activation);
    at::Tensor out = at::empty_like(x);
    auto* mean = moments.data_ptr<float>();
    norm_forward(shape, x.data_ptr<float>(), weight.data_ptr<float>(), bias.data_ptr<float>(), mean,
                 mean + shape.channels, out.data_ptr<float>());
    context->save_for_backward({x, weight, bias, moments});
    context->saved_data["activation"] = activation;
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const NormShape shape = shape_from(x, context->saved_data["activation"].toInt());
    const at::Tensor gradient = gradients[0].contiguous();
    at::Tensor by_x = at::empty_like(x);
    at::Tensor by_weight = at::empty_like(saved[1]);
    at::Tensor by_bias = at::empty_like(saved[2]);
    const auto* mean = saved[3].data_ptr<float>();
    norm_backward(shape, x.data_ptr<float>(), saved[1].data_ptr<float>(), saved[2].data_ptr<float>(), mean,
                  mean + shape.channels, gradient.data_ptr<float>(), by_x.data_ptr<float>(),
                  by_weight.data_ptr<float>(), by_bias.data_ptr<float>());
    return {by_x, by_weight, by_bias, {}, {}};
  }

  static NormShape shape_from(const at::Tensor& x, std::int64_t activation) {
    return {x.numel() / x.size(3), x.size(3), static_cast<NormActivation>(activation),
            static_cast<float>(kEpsilon)};
  }
};

at::Tensor hard_sigmoid(const at::Tensor& x) {
  return at::hardsigmoid(x);
}

at::Tensor activate(const at::Tensor& x, NormActivation activation) {
  if (activation == NormActivation::kRelu) return at::relu(x);
  return activation == NormActivation::kHardSwish ? hard_swish(x) : x;
}

}  // namespace

at::Tensor depthwise(const at::Tensor& x, const at::Tensor& weight, std::int64_t stride) {
  const std::int64_t kernel = weight.size(3);
  if (has_kernels(x))
    return DepthwiseFunction::apply(x, weight.reshape({weight.size(0), kernel * kernel}).t().contiguous(),
                                    kernel, stride);
  const at::Tensor channels_first = x.permute({0, 3, 1, 2});
  return at::conv2d(channels_first, weight.to(x.scalar_type()), {}, stride, kernel / 2, 1, x.size(3))
      .permute({0, 2, 3, 1});
}

at::Tensor pointwise(const at::Tensor& x, const at::Tensor& weight) {
  return at::linear(x, weight.flatten(1).to(x.scalar_type()));
}

at::Tensor normalise(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     NormActivation activation, BatchMoments* moments) {
  if (has_kernels(x)) {
    const at::Tensor both = at::empty({2, x.size(3)}, x.options());
    at::Tensor out = NormFunction::apply(x, weight.contiguous(), bias.contiguous(),
                                         static_cast<std::int64_t>(activation), both);
    if (moments != nullptr) *moments = {both[0], both[1].square().reciprocal() - kEpsilon};
    return out;
  }
  const at::Tensor channels_first = x.permute({0, 3, 1, 2});
  if (moments != nullptr) {
    const at::Tensor values = channels_first.to(at::kFloat);
    *moments = {values.mean({0, 2, 3}), values.var({0, 2, 3}, false)};
  }
  const at::Tensor out = at::batch_norm(channels_first, weight, bias, {}, {}, true, 0.0, kEpsilon, true);
  return activate(out, activation).permute({0, 2, 3, 1});
}

at::Tensor hard_swish(const at::Tensor& x) {
  return at::hardswish(x);
}

at::Tensor squeeze_excite(const at::Tensor& x, const at::Tensor& reduce_weight, const at::Tensor& reduce_bias,
                          const at::Tensor& expand_weight, const at::Tensor& expand_bias) {
  const auto type = x.scalar_type();
  at::Tensor y = x.flatten(1, 2).mean(1);
  y = at::relu(at::linear(y, reduce_weight.flatten(1).to(type), reduce_bias.to(type)));
  y = hard_sigmoid(at::linear(y, expand_weight.flatten(1).to(type), expand_bias.to(type)));
  return x * y.unsqueeze(1).unsqueeze(1);
}

}  // namespace dofa::train

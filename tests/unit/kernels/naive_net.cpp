// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/kernels/naive_net.hpp"

#include <algorithm>
#include <cmath>

#include "daemon/engine/kernels/run.hpp"
#include "daemon/engine/kernels/simd.hpp"
#include "tests/support/catch.hpp"

namespace dofa::engine::kernels::testing {
namespace {
double activate(double x, Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return x > 0 ? x : 0;
    case Activation::kRelu6:
      return x < 0 ? 0 : x > 6 ? 6 : x;
    case Activation::kHardSigmoid:
      return x < -3 ? 0 : x > 3 ? 1 : (x + 3) / 6;
    case Activation::kHardSwish:
      return x < -3 ? 0 : x > 3 ? x : x * (x + 3) / 6;
  }
  return x;
}

double finish(double sum, const Affine& affine, int channel, Activation activation) {
  return activate(sum * (affine.scale.empty() ? 1 : affine.scale[channel]) +
                      (affine.bias.empty() ? 0 : affine.bias[channel]),
                  activation);
}

/// k x k convolution of any kind: `groups` is 1 or the number of channels.
Map convolve(const Map& in, int out_channels, bool depthwise, int k, int stride, int pad_before,
             int pad_after, const std::vector<float>& w, int stored_in, const Affine& affine,
             Activation activation) {
  Map out{out_channels,
          (in.height + pad_before + pad_after - k) / stride + 1,
          (in.width + pad_before + pad_after - k) / stride + 1,
          {}};
  out.values.resize(static_cast<std::size_t>(out.channels) * out.height * out.width);
  for (int o = 0; o < out_channels; ++o) {
    for (int y = 0; y < out.height; ++y) {
      for (int x = 0; x < out.width; ++x) {
        double sum = 0;
        for (int c = depthwise ? o : 0; c < (depthwise ? o + 1 : in.channels); ++c) {
          for (int ky = 0; ky < k; ++ky) {
            for (int kx = 0; kx < k; ++kx) {
              const int iy = y * stride - pad_before + ky, ix = x * stride - pad_before + kx;
              if (iy < 0 || iy >= in.height || ix < 0 || ix >= in.width) continue;
              const std::size_t row = depthwise ? o : static_cast<std::size_t>(o) * stored_in + c;
              sum += in.at(c, iy, ix) * w[(row * k + ky) * k + kx];
            }
          }
        }
        out.at(o, y, x) = finish(sum, affine, o, activation);
      }
    }
  }
  return out;
}

std::vector<double> means(const Map& map) {
  std::vector<double> mean(map.channels);
  for (int c = 0; c < map.channels; ++c) {
    for (int y = 0; y < map.height; ++y) {
      for (int x = 0; x < map.width; ++x) mean[c] += map.at(c, y, x);
    }
    mean[c] /= map.height * map.width;
  }
  return mean;
}

std::vector<double> multiply(const std::vector<double>& x, int out, const std::vector<float>& w,
                             int stored_in, const Affine& affine, Activation activation) {
  std::vector<double> y(out);
  for (int o = 0; o < out; ++o) {
    for (std::size_t i = 0; i < x.size(); ++i) y[o] += x[i] * w[static_cast<std::size_t>(o) * stored_in + i];
    y[o] = finish(y[o], affine, o, activation);
  }
  return y;
}
}  // namespace

std::vector<float> NaiveNet::random_floats(std::size_t count, double scale) {
  std::normal_distribution<float> normal(0, static_cast<float>(scale));
  std::vector<float> values(count);
  std::generate(values.begin(), values.end(), [&] { return normal(random_); });
  return values;
}

Affine NaiveNet::random_affine(int channels) {
  std::uniform_real_distribution<float> scale(0.5f, 1.5f), bias(-0.5f, 0.5f);
  Affine affine;
  for (int c = 0; c < channels; ++c) {
    affine.scale.push_back(scale(random_));
    affine.bias.push_back(bias(random_));
  }
  return affine;
}

NaiveNet& NaiveNet::conv(int out, int kernel, int stride, Activation activation) {
  const int taps = now_.channels * kernel * kernel;
  Raw raw{
      random_floats(static_cast<std::size_t>(out + spare_) * taps, 1.5 / std::sqrt(taps)), {}, now_.channels};
  const int pad = kernel / 2;
  layers_.emplace_back(ConvLayer{store_.add_conv(raw.weights, out + spare_, now_.channels, kernel), out,
                                 stride, pad, pad, random_affine(out), activation});
  raw_.push_back(std::move(raw));
  now_.channels = out;
  return *this;
}

NaiveNet& NaiveNet::pointwise(int out, Activation activation, int residual_from) {
  const int in = now_.channels + spare_;
  Raw raw{random_floats(static_cast<std::size_t>(out + spare_) * in, 1.5 / std::sqrt(now_.channels)), {}, in};
  layers_.emplace_back(PointwiseLayer{store_.add_matrix(raw.weights, out + spare_, in), out,
                                      random_affine(out), activation, residual_from});
  raw_.push_back(std::move(raw));
  now_.channels = out;
  return *this;
}

NaiveNet& NaiveNet::depthwise(int kernel, int stride, Activation activation) {
  return depthwise(kernel, stride, kernel / 2, kernel / 2, activation);
}

NaiveNet& NaiveNet::depthwise(int kernel, int stride, int pad_before, int pad_after, Activation activation) {
  const int stored = now_.channels + spare_;
  Raw raw{random_floats(static_cast<std::size_t>(stored) * kernel * kernel, 1.5 / kernel), {}, 1};
  layers_.emplace_back(DepthwiseLayer{store_.add_depthwise(raw.weights, stored, kernel), stride, pad_before,
                                      pad_after, random_affine(now_.channels), activation});
  raw_.push_back(std::move(raw));
  return *this;
}

NaiveNet& NaiveNet::squeeze_excite(int hidden) {
  const int c = now_.channels;
  const int in = c + spare_, inner = hidden + spare_;
  Raw raw{random_floats(static_cast<std::size_t>(inner) * in, 2 / std::sqrt(c)),
          random_floats(static_cast<std::size_t>(in) * inner, 4 / std::sqrt(hidden)), in};
  layers_.emplace_back(SqueezeExciteLayer{store_.add_matrix(raw.weights, inner, in),
                                          store_.add_matrix(raw.second, in, inner), hidden,
                                          random_floats(hidden, 0.3), random_floats(c, 0.5)});
  raw_.push_back(std::move(raw));
  return *this;
}

NaiveNet& NaiveNet::pool() {
  layers_.emplace_back(GlobalPoolLayer{});
  raw_.emplace_back();
  return *this;
}

NaiveNet& NaiveNet::linear(int out, Activation activation, Precision precision) {
  const int in = now_.channels + spare_;
  Raw raw{random_floats(static_cast<std::size_t>(out + spare_) * in, 1.5 / std::sqrt(now_.channels)), {}, in};
  Affine affine{{}, random_floats(out, 0.5)};
  layers_.emplace_back(
      LinearLayer{store_.add_matrix(raw.weights, out + spare_, in, precision), out, affine, activation});
  raw_.push_back(std::move(raw));
  now_.channels = out;
  return *this;
}

std::vector<float> NaiveNet::image() {
  return random_floats(input_.pixels() * input_.channels, 1);
}

std::vector<double> NaiveNet::evaluate(const std::vector<float>& image) const {
  std::vector<Map> maps;  // output of each layer
  std::vector<double> vector;
  Map now{input_.channels, input_.height, input_.width, {image.begin(), image.end()}};
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Raw& raw = raw_[i];
    if (const auto* l = std::get_if<ConvLayer>(&layers_[i])) {
      now = convolve(now, l->out_channels, false, l->weights.kernel, l->stride, l->pad_before, l->pad_after,
                     raw.weights, raw.stored_in, l->affine, l->activation);
    } else if (const auto* pw = std::get_if<PointwiseLayer>(&layers_[i])) {
      now = convolve(now, pw->out_channels, false, 1, 1, 0, 0, raw.weights, raw.stored_in, pw->affine,
                     pw->activation);
      if (pw->residual_from >= 0) {
        const Map& added = maps[pw->residual_from];
        for (std::size_t v = 0; v < now.values.size(); ++v) now.values[v] += added.values[v];
      }
    } else if (const auto* dw = std::get_if<DepthwiseLayer>(&layers_[i])) {
      now = convolve(now, now.channels, true, dw->weights.kernel, dw->stride, dw->pad_before, dw->pad_after,
                     raw.weights, 1, dw->affine, dw->activation);
    } else if (const auto* se = std::get_if<SqueezeExciteLayer>(&layers_[i])) {
      const int inner = se->expand.in_channels;
      const auto hidden = multiply(means(now), se->hidden_channels, raw.weights, raw.stored_in,
                                   {{}, se->reduce_bias}, Activation::kRelu);
      const auto gates =
          multiply(hidden, now.channels, raw.second, inner, {{}, se->expand_bias}, Activation::kHardSigmoid);
      for (int c = 0; c < now.channels; ++c) {
        for (int p = 0; p < now.height * now.width; ++p)
          now.values[static_cast<std::size_t>(c) * now.height * now.width + p] *= gates[c];
      }
    } else if (std::holds_alternative<GlobalPoolLayer>(layers_[i])) {
      vector = means(now);
    } else if (const auto* fc = std::get_if<LinearLayer>(&layers_[i])) {
      vector = multiply(vector, fc->out_channels, raw.weights, raw.stored_in, fc->affine, fc->activation);
    }
    maps.push_back(now);
  }
  return vector;
}

double relative_error(NaiveNet& net, int workers) {
  const Result<Plan> plan = Plan::build(net.layers(), net.input());
  if (!plan) FAIL(plan.error().message);
  Arena arena(plan->arena(), workers);
  Team team(workers);
  const std::vector<float> image = net.image();
  const auto got = run(*plan, arena, team, image);
  if (!got) FAIL(got.error().message);
  const std::vector<double> wanted = net.evaluate(image);
  REQUIRE(got->size() == wanted.size());
  double worst = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const double difference = std::abs((*got)[i] - wanted[i]);
    if (!(difference <= worst)) worst = difference;  // keeps a not-a-number
  }
  const auto [low, high] = std::minmax_element(wanted.begin(), wanted.end());
  return worst / (*high - *low);
}

double relative_error_on_all_targets(NaiveNet& net) {
  double worst = 0;
  REQUIRE(cap_simd_target(""));
  for (const std::string& target : simd_targets()) {
    REQUIRE(cap_simd_target(target));
    INFO("target " << target);
    const double error = relative_error(net);
    CHECK(error < 1);
    if (!(error <= worst)) worst = error;
  }
  REQUIRE(cap_simd_target(""));
  return worst;
}

}  // namespace dofa::engine::kernels::testing

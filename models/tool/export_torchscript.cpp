// SPDX-License-Identifier: Apache-2.0
#include <torch/script.h>

#include "models/tool/export_graph.hpp"
#include "models/tool/exporters.hpp"

namespace dofa::tool {
namespace {

/// Writes the operators as TorchScript source and the weights as buffers of the module.
class TorchScriptSink final : public GraphSink {
 public:
  explicit TorchScriptSink(torch::jit::Module& module) : module_(module) {}

  std::string conv(const std::string& x, const FoldedConv& conv) override {
    const std::string weight =
        buffer(conv.weight, {conv.out_channels, conv.in_channels, conv.kernel, conv.kernel});
    const std::string bias = conv.bias.empty() ? "None" : buffer(conv.bias, {conv.out_channels});
    const auto pair = [](std::int64_t n) {
      return "[" + std::to_string(n) + ", " + std::to_string(n) + "], ";
    };
    return assign("torch.conv2d(" + x + ", " + weight + ", " + bias + ", " + pair(conv.stride) +
                  pair(conv.kernel / 2) + pair(1) + std::to_string(conv.groups) + ")");
  }
  std::string unary(Unary kind, const std::string& x) override {
    switch (kind) {
      case Unary::kRelu:
        return assign("torch.relu(" + x + ")");
      case Unary::kHardSwish:
        return assign("torch.hardswish(" + x + ")");
      case Unary::kHardSigmoid:
        return assign("torch.hardsigmoid(" + x + ")");
      case Unary::kGlobalMean:
        break;
    }
    return assign("torch.mean(" + x + ", [2, 3], True)");
  }
  std::string binary(Binary kind, const std::string& a, const std::string& b) override {
    return assign(a + (kind == Binary::kAdd ? " + " : " * ") + b);
  }
  std::string linear(const std::string& x, const std::vector<float>& weight,
                     const std::vector<float>& bias) override {
    const auto classes = static_cast<std::int64_t>(bias.size());
    const auto features = static_cast<std::int64_t>(weight.size()) / classes;
    return assign("torch.addmm(" + buffer(bias, {classes}) + ", torch.flatten(" + x + ", 1), torch.t(" +
                  buffer(weight, {classes, features}) + "))");
  }

  [[nodiscard]] std::string source(const std::string& result) const {
    return "def forward(self, image):\n" + body_ + "    return " + result + "\n";
  }

 private:
  std::string assign(const std::string& expression) {
    const std::string name = "v" + std::to_string(values_++);
    body_ += "    " + name + " = " + expression + "\n";
    return name;
  }
  std::string buffer(const std::vector<float>& values, at::IntArrayRef shape) {
    const std::string name = "w" + std::to_string(buffers_++);
    module_.register_buffer(name, torch::tensor(values).reshape(shape));
    return "self." + name;
  }

  torch::jit::Module& module_;
  std::string body_;
  std::size_t values_ = 0;
  std::size_t buffers_ = 0;
};

}  // namespace

Result<void> export_torchscript(const engine::Supernet& supernet, const engine::Subnet& subnet,
                                const std::string& path) {
  try {
    torch::jit::Module module("Subnet");
    TorchScriptSink sink(module);
    const std::string logits = emit_graph(supernet, subnet, "image", sink);
    module.define(sink.source(logits));
    module.eval();
    module.save(path);
    return {};
  } catch (const std::exception& fault) {  // LibTorch's message goes on with a backtrace
    const std::string text = fault.what();
    return Error{ErrorCode::kFailed, path + ": " + text.substr(0, text.find('\n'))};
  }
}

}  // namespace dofa::tool

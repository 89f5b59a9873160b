// SPDX-License-Identifier: Apache-2.0
// Field numbers are those of onnx.proto (github.com/onnx/onnx).
#include <array>
#include <vector>

#include "models/search/files.hpp"
#include "models/tool/export_graph.hpp"
#include "models/tool/exporters.hpp"
#include "models/tool/protobuf_writer.hpp"

namespace dofa::tool {
namespace {

constexpr std::int64_t kIrVersion = 7;
constexpr std::int64_t kOpset = 14;  // the first with HardSwish
constexpr std::int64_t kFloatElements = 1;

enum ModelField : std::uint32_t { kModelIrVersion = 1, kModelProducer = 2, kModelGraph = 7, kModelOpset = 8 };
enum GraphField : std::uint32_t {
  kGraphNode = 1,
  kGraphName = 2,
  kGraphInitializer = 5,
  kGraphInput = 11,
  kGraphOutput = 12
};
enum NodeField : std::uint32_t {
  kNodeInput = 1,
  kNodeOutput = 2,
  kNodeName = 3,
  kNodeType = 4,
  kNodeAttribute = 5
};
enum AttributeField : std::uint32_t {
  kAttributeName = 1,
  kAttributeFloat = 2,
  kAttributeInt = 3,
  kAttributeInts = 8,
  kAttributeType = 20
};
enum AttributeType : std::int64_t { kTypeFloat = 1, kTypeInt = 2, kTypeInts = 7 };
enum TensorField : std::uint32_t {
  kTensorDims = 1,
  kTensorDataType = 2,
  kTensorName = 8,
  kTensorRawData = 9
};

ProtobufMessage attribute(const std::string& name, std::int64_t value) {
  ProtobufMessage message;
  message.text(kAttributeName, name);
  message.integer(kAttributeInt, value);
  message.integer(kAttributeType, kTypeInt);
  return message;
}
ProtobufMessage attribute(const std::string& name, float value) {
  ProtobufMessage message;
  message.text(kAttributeName, name);
  message.floating(kAttributeFloat, value);
  message.integer(kAttributeType, kTypeFloat);
  return message;
}
ProtobufMessage attribute(const std::string& name, const std::vector<std::int64_t>& values) {
  ProtobufMessage message;
  message.text(kAttributeName, name);
  for (const std::int64_t value : values) message.integer(kAttributeInts, value);
  message.integer(kAttributeType, kTypeInts);
  return message;
}

/// ValueInfoProto of a float tensor whose first dimension is the batch.
ProtobufMessage value_info(const std::string& name, const std::vector<std::int64_t>& sizes) {
  ProtobufMessage shape;
  ProtobufMessage batch;
  batch.text(2, "N");
  shape.message(1, batch);
  for (const std::int64_t size : sizes) {
    ProtobufMessage dimension;
    dimension.integer(1, size);
    shape.message(1, dimension);
  }
  ProtobufMessage tensor;
  tensor.integer(1, kFloatElements);
  tensor.message(2, shape);
  ProtobufMessage type;
  type.message(1, tensor);
  ProtobufMessage info;
  info.text(1, name);
  info.message(2, type);
  return info;
}

class OnnxSink final : public GraphSink {
 public:
  std::string conv(const std::string& x, const FoldedConv& conv) override {
    std::vector<std::string> inputs{
        x, initializer(conv.weight, {conv.out_channels, conv.in_channels, conv.kernel, conv.kernel})};
    if (!conv.bias.empty()) inputs.push_back(initializer(conv.bias, {conv.out_channels}));
    const std::int64_t pad = conv.kernel / 2;
    return node("Conv", inputs,
                {attribute("kernel_shape", {conv.kernel, conv.kernel}),
                 attribute("strides", {conv.stride, conv.stride}), attribute("pads", {pad, pad, pad, pad}),
                 attribute("group", conv.groups)});
  }
  std::string unary(Unary kind, const std::string& x) override {
    switch (kind) {
      case Unary::kRelu:
        return node("Relu", {x}, {});
      case Unary::kHardSwish:
        return node("HardSwish", {x}, {});
      case Unary::kHardSigmoid:
        return node("HardSigmoid", {x}, {attribute("alpha", 1.0F / 6), attribute("beta", 0.5F)});
      case Unary::kGlobalMean:
        break;
    }
    return node("GlobalAveragePool", {x}, {});
  }
  std::string binary(Binary kind, const std::string& a, const std::string& b) override {
    return node(kind == Binary::kAdd ? "Add" : "Mul", {a, b}, {});
  }
  std::string linear(const std::string& x, const std::vector<float>& weight,
                     const std::vector<float>& bias) override {
    const auto classes = static_cast<std::int64_t>(bias.size());
    const auto features = static_cast<std::int64_t>(weight.size()) / classes;
    const std::string flat = node("Flatten", {x}, {attribute("axis", std::int64_t{1})});
    const std::string w = initializer(weight, {classes, features});
    return node("Gemm", {flat, w, initializer(bias, {classes})}, {attribute("transB", std::int64_t{1})},
                "logits");
  }

  /// The ModelProto.
  [[nodiscard]] ProtobufMessage model(std::int64_t resolution, std::int64_t classes) {
    graph_.text(kGraphName, "subnet");
    graph_.message(kGraphInput, value_info("image", {3, resolution, resolution}));
    graph_.message(kGraphOutput, value_info("logits", {classes}));
    ProtobufMessage opset;
    opset.text(1, "");
    opset.integer(2, kOpset);
    ProtobufMessage model;
    model.integer(kModelIrVersion, kIrVersion);
    model.text(kModelProducer, "dofa-model");
    model.message(kModelGraph, graph_);
    model.message(kModelOpset, opset);
    return model;
  }

 private:
  std::string node(const std::string& type, const std::vector<std::string>& inputs,
                   const std::vector<ProtobufMessage>& attributes, std::string output = "") {
    if (output.empty()) output = "v" + std::to_string(nodes_);
    ProtobufMessage message;
    for (const std::string& input : inputs) message.text(kNodeInput, input);
    message.text(kNodeOutput, output);
    message.text(kNodeName, type + "_" + std::to_string(nodes_++));
    message.text(kNodeType, type);
    for (const ProtobufMessage& item : attributes) message.message(kNodeAttribute, item);
    graph_.message(kGraphNode, message);
    return output;
  }
  std::string initializer(const std::vector<float>& values, const std::vector<std::int64_t>& shape) {
    const std::string name = "w" + std::to_string(initializers_++);
    ProtobufMessage tensor;
    for (const std::int64_t size : shape) tensor.integer(kTensorDims, size);
    tensor.integer(kTensorDataType, kFloatElements);
    tensor.text(kTensorName, name);
    tensor.floats_raw(kTensorRawData, values);
    graph_.message(kGraphInitializer, tensor);
    return name;
  }

  ProtobufMessage graph_;
  std::size_t nodes_ = 0;
  std::size_t initializers_ = 0;
};

}  // namespace

Result<void> export_onnx(const engine::Supernet& supernet, const engine::Subnet& subnet,
                         std::uint32_t resolution, const std::string& path) {
  OnnxSink sink;
  emit_graph(supernet, subnet, "image", sink);
  const std::string bytes = sink.model(resolution, supernet.classes).bytes();
  return search::write_file(path, bytes);
}

}  // namespace dofa::tool

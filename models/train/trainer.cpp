// SPDX-License-Identifier: Apache-2.0
#include "models/train/trainer.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <thread>

#include "daemon/engine/thread.hpp"

namespace dofa::train {
namespace {

/// Training images as float32 (n, side, side, 3).
at::Tensor load(const Images& images, std::span<const std::uint32_t> indices, const Recipe& recipe,
                std::uint64_t epoch) {
  const std::int64_t side = images.side;
  at::Tensor batch = at::empty({static_cast<std::int64_t>(indices.size()), side, side, 3});
  auto* out = batch.data_ptr<float>();
  for (const std::uint32_t index : indices) {
    augment_image(images.image(index), images.side, recipe, mix(recipe.seed, epoch, index), out);
    out += side * side * 3;
  }
  return batch;
}

/// Bilinear with antialias, as frames are resized when they are served.
at::Tensor resize(const at::Tensor& images, std::uint32_t side) {
  if (images.size(1) == side) return images;
  return at::_upsample_bilinear2d_aa(images.permute({0, 3, 1, 2}).contiguous(), {side, side}, false)
      .permute({0, 2, 3, 1})
      .contiguous();
}

at::Tensor divergence(const at::Tensor& teacher_probabilities, const at::Tensor& logits) {
  return -(teacher_probabilities * at::log_softmax(logits, 1)).sum();
}

checkpoint::FloatTensor to_floats(const at::Tensor& tensor) {
  const at::Tensor values = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
  return {tensor.sizes().vec(), {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()}};
}

/// What is trained: a whole supernet, or what one sub-network uses of it.
Network trained(const Network& network, const Recipe& recipe) {
  return recipe.alone ? network.alone(recipe.alone->architecture) : network;
}

/// The sub-network that learns from the labels.
config::OfaArchitecture labelled(const Recipe& recipe) {
  return recipe.alone ? recipe.alone->architecture : largest(recipe.space);
}

constexpr const char* kPosition = "training.position";

/// A double as two floats, exact for what is kept so here.
void push(std::vector<float>& values, double value) {
  values.push_back(static_cast<float>(value));
  values.push_back(static_cast<float>(value - values.back()));
}

}  // namespace

void Tally::add(const Tally& other) {
  images += other.images;
  correct += other.correct;
  loss += other.loss;
  student_loss += other.student_loss;
}

/// A thread's part of a batch.
struct Trainer::Slice {
  const Network* network = nullptr;
  std::span<const std::uint32_t> indices;
  std::uint32_t resolution = 0;
  std::vector<config::OfaArchitecture> students;
  Tally tally;
  std::exception_ptr failure;
};

Trainer::Trainer(const Recipe& recipe, const Images& images, at::Device device)
    : recipe_(recipe),
      images_(images),
      device_(device),
      network_(trained(Network(recipe.space, recipe.seed, device), recipe)),
      optimizer_(network_.parameters(),
                 {recipe.momentum, recipe.weight_decay, recipe.ema_decay, recipe.orthogonal_rate}) {
  const std::uint32_t slices = device.is_cpu() ? recipe.threads : 1;
  for (std::uint32_t i = 0; i < slices; ++i) replicas_.push_back(network_.replica());
}

void Trainer::run_slice(Slice& slice, std::uint64_t epoch) const try {
  at::Tensor images = resize(load(images_, slice.indices, recipe_, epoch).to(device_), slice.resolution);
  if (!device_.is_cpu()) images = images.to(at::kBFloat16);
  std::vector<std::int64_t> classes;
  for (const std::uint32_t index : slice.indices) classes.push_back(images_.labels[index]);
  const at::Tensor labels = at::tensor(classes).to(device_);
  const double scale = 1.0 / recipe_.batch;

  const at::Tensor logits = slice.network->forward(labelled(recipe_), images);
  const at::Tensor loss =
      at::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum, -100, recipe_.label_smoothing);
  (loss * scale).backward();
  slice.tally.images = static_cast<double>(slice.indices.size());
  slice.tally.loss = loss.item<double>();
  slice.tally.correct = logits.argmax(1).eq(labels).sum().item<double>();

  const at::Tensor teacher = logits.detach().softmax(1);
  for (const config::OfaArchitecture& student : slice.students) {
    const at::Tensor difference = divergence(teacher, slice.network->forward(student, images));
    (difference * scale).backward();
    slice.tally.student_loss += difference.item<double>() / static_cast<double>(slice.students.size());
  }
} catch (...) {
  slice.failure = std::current_exception();
}

std::vector<config::OfaArchitecture> Trainer::students_of(std::uint64_t step) const {
  std::vector<config::OfaArchitecture> students;
  if (recipe_.alone) return students;
  if (step % recipe_.smallest_every == 0) students.push_back(smallest(recipe_.space));
  for (std::uint32_t i = 0; i < recipe_.random_subnets; ++i)
    students.push_back(random_architecture(recipe_.space, recipe_.seed, step, i));
  return students;
}

Result<Tally> Trainer::advance() {
  const std::uint64_t number = step();
  const std::uint64_t epoch = number / steps_per_epoch();
  if (order_epoch_ != epoch) {
    order_ = epoch_order(images_.size(), recipe_.seed, epoch);
    order_epoch_ = epoch;
  }
  if (number % steps_per_epoch() == 0) epoch_ = {};

  const std::vector<config::OfaArchitecture> students = students_of(number);
  const std::size_t offered = resolutions_offered(recipe_, steps_per_epoch(), number);
  const std::uint32_t resolution = recipe_.alone
                                       ? recipe_.alone->resolution
                                       : random_resolution(recipe_.space, offered, recipe_.seed, number);
  const auto batch = std::span(order_).subspan(number % steps_per_epoch() * recipe_.batch, recipe_.batch);

  std::vector<Slice> slices(replicas_.size());
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const std::size_t begin = i * batch.size() / slices.size();
    const std::size_t end = (i + 1) * batch.size() / slices.size();
    slices[i] = {&replicas_[i], batch.subspan(begin, end - begin), resolution, students, {}, nullptr};
  }
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < slices.size(); ++i)
    threads.emplace_back([this, &slice = slices[i], epoch] {
      engine::prepare_inference_thread(true);
      run_slice(slice, epoch);
    });
  run_slice(slices[0], epoch);
  for (std::thread& thread : threads) thread.join();

  Tally tally;
  for (const Slice& slice : slices) {
    if (slice.failure) std::rethrow_exception(slice.failure);
    tally.add(slice.tally);
  }
  std::vector<at::Tensor> gradients(optimizer_.parameters().size());
  for (const Network& replica : replicas_) {
    const auto leaves = replica.parameters();
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      at::Tensor leaf = leaves[i].value;
      if (!leaf.grad().defined()) continue;
      gradients[i] = gradients[i].defined() ? gradients[i].add_(leaf.grad()) : leaf.grad();
      leaf.mutable_grad().reset();
    }
  }
  const double rate = learning_rate(recipe_, steps_per_epoch(), number);
  if (!std::isfinite(tally.loss) || !std::isfinite(tally.student_loss))
    return Error{ErrorCode::kFailed, "the loss is no longer a number at step " + std::to_string(number) +
                                         " (learning rate " + std::to_string(rate) +
                                         "): a lower --learning-rate or a longer --warmup is needed"};
  optimizer_.step(gradients, rate);
  epoch_.add(tally);
  return tally;
}

engine::FloatTensors Trainer::averaged_weights() {
  engine::FloatTensors weights;
  for (const Parameter& parameter : averaged_network().parameters())
    weights[parameter.name] = to_floats(parameter.value);
  return weights;
}

Network Trainer::averaged_network() {
  const torch::NoGradGuard no_gradients;
  Network network(recipe_.space, recipe_.seed, device_);
  const auto leaves = trained(network, recipe_).parameters();
  for (std::size_t i = 0; i < leaves.size(); ++i) leaves[i].value.detach().copy_(optimizer_.averages()[i]);
  return network;
}

engine::FloatTensors Trainer::state() {
  engine::FloatTensors state;
  for (std::size_t i = 0; i < optimizer_.parameters().size(); ++i) {
    const Parameter& parameter = optimizer_.parameters()[i];
    state["weights." + parameter.name] = to_floats(parameter.value);
    state["velocities." + parameter.name] = to_floats(optimizer_.velocities()[i]);
    state["averages." + parameter.name] = to_floats(optimizer_.averages()[i]);
  }
  std::vector<float> position;
  for (const double value :
       {static_cast<double>(step()), epoch_.images, epoch_.correct, epoch_.loss, epoch_.student_loss})
    push(position, value);
  state[kPosition] = {{static_cast<std::int64_t>(position.size())}, position};
  return state;
}

Result<void> Trainer::set_state(const engine::FloatTensors& state) {
  const torch::NoGradGuard no_gradients;
  const auto restore = [&](const std::string& name, const at::Tensor& into) {
    const auto found = state.find(name);
    if (found == state.end() || found->second.shape != into.sizes().vec()) return false;
    auto& values =
        const_cast<std::vector<float>&>(found->second.values);  // ATen wants it mutable and only reads
    into.copy_(at::from_blob(values.data(), into.sizes(), at::kFloat));
    return true;
  };
  for (std::size_t i = 0; i < optimizer_.parameters().size(); ++i) {
    const Parameter& parameter = optimizer_.parameters()[i];
    if (!restore("weights." + parameter.name, parameter.value.detach()) ||
        !restore("velocities." + parameter.name, optimizer_.velocities()[i]) ||
        !restore("averages." + parameter.name, optimizer_.averages()[i]))
      return Error{ErrorCode::kInvalidArgument,
                   "the saved state lacks '" + parameter.name + "' or has it in another shape"};
  }
  const auto position = state.find(kPosition);
  if (position == state.end() || position->second.values.size() != 10)
    return Error{ErrorCode::kInvalidArgument, "the saved state does not say where it stands"};
  const auto value = [&](std::size_t i) {
    return static_cast<double>(position->second.values[2 * i]) +
           static_cast<double>(position->second.values[2 * i + 1]);
  };
  optimizer_.set_steps(static_cast<std::uint64_t>(value(0)));
  epoch_ = {value(1), value(2), value(3), value(4)};
  return {};
}

}  // namespace dofa::train

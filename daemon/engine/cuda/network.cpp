// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/cuda/network.hpp"

#include <algorithm>
#include <bit>

#include "daemon/engine/cuda/kernels.hpp"

namespace dofa::engine::cuda {
namespace {

Plan make_plan(const OfaModel& model, std::uint32_t max_batch) {
  auto plan = Plan::make(model, max_batch);
  if (!plan) throw Fault{plan.error()};
  return std::move(*plan);
}

DeviceBuffer upload_floats(const std::vector<float>& values) {
  DeviceBuffer buffer(values.size() * sizeof(float));
  upload(buffer, values.data(), buffer.bytes());
  return buffer;
}

DeviceBuffer upload_halves(const std::vector<float>& values) {
  std::vector<__half> halves(values.size());
  std::ranges::transform(values, halves.begin(), Stored<__half>::store);
  DeviceBuffer buffer(halves.size() * sizeof(__half));
  upload(buffer, halves.data(), buffer.bytes());
  return buffer;
}

}  // namespace

SharedModel::SharedModel(const OfaModel& model, int device, GpuOptions options)
    : device_(device),
      half_(options.precision == GpuPrecision::kHalf),
      max_batch_(std::bit_ceil(std::clamp(options.max_batch, 1U, 8U))),
      plan_(make_plan(model, max_batch_)) {
  check(cudaSetDevice(device_), "choosing a GPU");
  weights_ = half_ ? upload_halves(plan_.weights()) : upload_floats(plan_.weights());
  parameters_ = upload_floats(plan_.parameters());
  plan_.forget_values();
}

void Waiter::wait(cudaStream_t stream, const char* doing) {
  check(cudaEventRecord(event_.get(), stream), doing);
  const auto until = std::chrono::steady_clock::now() + kSpin;
  do {
    const cudaError_t status = cudaEventQuery(event_.get());
    if (status == cudaSuccess) return;
    if (status != cudaErrorNotReady) check(status, doing);
    (void)cudaGetLastError();  // "not ready" is remembered like an error, and the next launch would be blamed
                               // for it
  } while (std::chrono::steady_clock::now() < until);
  check(cudaEventSynchronize(event_.get()), doing);
}

Network::Network(std::shared_ptr<const SharedModel> model)
    : model_((check(cudaSetDevice(model->device()), "choosing a GPU"), std::move(model))),
      layout_(Arena::make(model_->plan(), model_->value_bytes(), model_->max_batch())),
      stream_(make_stream()),
      gemms_(model_->gemm_choices()),
      input_(std::size_t{3} * model_->plan().max_resolution() * model_->plan().max_resolution() *
             model_->max_batch() * sizeof(float)),
      arena_(layout_.bytes),
      logits_(std::size_t{model_->plan().classes()} * model_->max_batch() * sizeof(float)) {
  check(cudaMemsetAsync(input_.data(), 0, input_.bytes(), stream()), "clearing the input");
  check(cudaMemsetAsync(arena_.data(), 0, arena_.bytes(), stream()), "clearing the buffers");
  for (std::uint32_t level = 0; level < model_->plan().levels().size(); ++level) {
    graphs_.emplace_back();
    for (const std::uint32_t images : kBatches) {
      if (images > model_->max_batch()) break;
      graphs_.back().push_back(capture(level, images));
      (void)run(level, images);
    }
  }
}

/// Nothing may be freed under a kernel that still runs.
Network::~Network() {
  (void)cudaSetDevice(model_->device());
  (void)cudaStreamSynchronize(stream());
  (void)cudaGetLastError();
}

void Network::use() const {
  check(cudaSetDevice(model_->device()), "choosing a GPU");
}

float* Network::input(std::uint32_t slot, std::uint32_t level) const {
  const std::size_t side = model_->plan().levels()[level].resolution;
  return input_.as<float>() + slot * 3 * side * side;
}

template <class T>
void Network::enqueue_steps(const LevelPlan& level, int images) {
  const Binder<T> bind(model_->weights().as<T>(), model_->parameters().as<float>(), input_.as<float>(),
                       arena_.data(), layout_, images);
  struct Enqueue {
    const Binder<T>& bind;
    Gemms& gemms;
    cudaStream_t stream;
    void operator()(const GemmStep& step) const { gemms.launch(bind(step), stream); }
    void operator()(const DepthwiseStep& step) const { cuda::launch(bind(step), step.kernel, stream); }
    void operator()(const LinearStep& step) const {
      if (step.exact)
        cuda::launch(bind.exact(step), stream);
      else
        cuda::launch(bind.stored(step), stream);
    }
    void operator()(const StemStep& step) const { cuda::launch(bind(step), stream); }
    void operator()(const PoolStep& step) const { cuda::launch(bind(step), stream); }
    void operator()(const GateStep& step) const { cuda::launch(bind(step), stream); }
    void operator()(const ProjectStep& step) const { cuda::launch(bind(step), stream); }
  };
  for (const Step& step : level.steps) std::visit(Enqueue{bind, gemms_, stream()}, step);
  check(cudaMemcpyAsync(
            logits_.data(), bind.logits(),
            std::size_t{model_->plan().classes()} * static_cast<std::size_t>(images) * sizeof(float),
            cudaMemcpyDeviceToHost, stream()),
        "copying logits");
}

void Network::enqueue(std::uint32_t level, std::uint32_t images) {
  const LevelPlan& plan = model_->plan().levels()[level];
  if (model_->half())
    enqueue_steps<__half>(plan, static_cast<int>(images));
  else
    enqueue_steps<float>(plan, static_cast<int>(images));
}

GraphExec Network::capture(std::uint32_t level, std::uint32_t images) {
  // Once without capturing: finds the GEMMs' algorithms and loads the kernels' code, neither of which a
  // capture allows.
  enqueue(level, images);
  wait("running a level for the first time");
  // Thread-local: other threads may load families and allocate meanwhile.
  check(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal), "capturing a graph");
  cudaGraph_t raw = nullptr;
  try {
    enqueue(level, images);
  } catch (const Fault&) {
    if (cudaStreamEndCapture(stream(), &raw) == cudaSuccess && raw != nullptr) (void)cudaGraphDestroy(raw);
    (void)cudaGetLastError();
    throw;
  }
  check(cudaStreamEndCapture(stream(), &raw), "capturing a graph");
  const Graph graph(raw);
  cudaGraphExec_t executable = nullptr;
  check(cudaGraphInstantiateWithFlags(&executable, graph.get(), 0), "making a graph");
  GraphExec result(executable);
  check(cudaGraphUpload(result.get(), stream()), "loading a graph");
  return result;
}

std::span<const float> Network::run(std::uint32_t level, std::uint32_t count) {
  // The smallest batch that holds them; places beyond `count` hold an older batch's images, whose answers
  // nobody reads.
  const auto size = static_cast<std::size_t>(std::ranges::lower_bound(kBatches, count) - kBatches.begin());
  check(cudaGraphLaunch(graphs_[level][size].get(), stream()), "launching a graph");
  wait("running a level");
  return {logits_.as<float>(), std::size_t{count} * model_->plan().classes()};
}

}  // namespace dofa::engine::cuda

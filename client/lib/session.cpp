// SPDX-License-Identifier: Apache-2.0
#include "client/lib/session.hpp"

#include <utility>

#include "client/lib/errors.hpp"
#include "proto/names.hpp"

namespace dofa::client {

namespace {

using namespace std::chrono_literals;

// A service that has its name may still be loading families, or have to let go of what it had before.
constexpr auto kRetryPause = 100ms;
constexpr int kTries = 100;

template <class Value>
void change(std::optional<Value>& value, const std::optional<Value>& to) {
  if (to) value = to;
}

void unset(Contract& contract, const std::string& name) {
  namespace key = proto::contract_key;
  if (name == key::kLatencyBudgetUs) contract.latency_budget_us.reset();
  if (name == key::kMinAccuracy) contract.min_accuracy.reset();
  if (name == key::kPeriodUs) contract.period_us.reset();
  if (name == key::kObjective) contract.objective.reset();
  if (name == key::kPercentile) contract.percentile.reset();
  if (name == key::kPriority) contract.priority.reset();
  if (name == key::kWhenLate) contract.when_late.reset();
  if (name == key::kLevel) contract.level.reset();
  if (name == key::kProcessor) contract.processor.reset();
}

void change(Contract& contract, const Contract& changes) {
  for (const auto& name : changes.unset) unset(contract, name);
  change(contract.latency_budget_us, changes.latency_budget_us);
  change(contract.min_accuracy, changes.min_accuracy);
  change(contract.period_us, changes.period_us);
  change(contract.objective, changes.objective);
  change(contract.percentile, changes.percentile);
  change(contract.priority, changes.priority);
  change(contract.when_late, changes.when_late);
  change(contract.level, changes.level);
  change(contract.processor, changes.processor);
}

template <class... Arguments>
void call(const std::function<void(Arguments...)>& handler,
          const std::type_identity_t<Arguments>&... arguments) {
  if (handler) handler(arguments...);
}

}  // namespace

template <class Task>
void SessionCore::later(Task task, std::chrono::milliseconds delay) {
  connection_->handlers()->post(
      [weak = weak_from_this(), gate = gate_, task = std::move(task)] {
        gate->pass([&] {
          if (const auto self = weak.lock()) task(*self);
        });
      },
      delay);
}

SessionProxy::Signals SessionCore::signals() {
  return {.subnet_changed =
              [this](const SubnetChange& change) {
                later([=](SessionCore& self) { call(self.handlers_.subnet_changed, change); });
              },
          .contract_unmet =
              [this](const std::string& reason, const Contract& nearest) {
                later([=](SessionCore& self) { call(self.handlers_.contract_unmet, reason, nearest); });
              },
          .closed =
              [this](const std::string& reason) {
                later([=](SessionCore& self) {
                  // One that stops may come back: service_changed() will tell.
                  if (reason != "service stopping") self.end(reason);
                  call(self.handlers_.closed, reason);
                });
              }};
}

void SessionCore::open(SessionWish wish) {
  const Connection::Use in_use(*connection_);
  presence_ = std::make_unique<PresenceProxy>(
      connection_->bus(), [this](const std::string& old_owner, const std::string& new_owner) {
        later([=](SessionCore& self) { self.service_changed(old_owner, new_owner); });
      });
  const std::lock_guard lock(opening_);
  wish_ = std::move(wish);
  const auto opened =
      connection_->root().open_session(wish_.application, wish_.family, to_dictionary(wish_.contract));
  use(opened.path, opened.service);
}

void SessionCore::adopt(const std::string& path) {
  path_ = path;
  proxy_ = std::make_shared<SessionProxy>(connection_->bus(), path, SessionProxy::Signals{}, false);
}

void SessionCore::use(const std::string& path, std::string service) {
  auto proxy = std::make_shared<SessionProxy>(connection_->bus(), path, signals(), true);
  const std::lock_guard lock(mutex_);
  proxy_.swap(proxy);  // the old one goes after the lock
  path_ = path;
  service_ = std::move(service);
}

void SessionCore::stop() {
  gate_->close();
  const bool ours = presence_ != nullptr;
  if (ours) {
    end("the session was closed");
    proxy_->close_soon();
  }
  presence_.reset();
  proxy_.reset();
  connection_.reset();
}

std::shared_ptr<SessionProxy> SessionCore::proxy() const {
  const std::lock_guard lock(mutex_);
  return proxy_;
}

std::string SessionCore::id() const {
  const std::lock_guard lock(mutex_);
  return last_part(path_);
}

void SessionCore::set_contract(const Contract& changes) {
  const Connection::Use in_use(*connection_);
  proxy()->SetContract(to_dictionary(changes));
  const std::lock_guard lock(mutex_);
  change(wish_.contract, changes);
}

void SessionCore::close() {
  const Connection::Use in_use(*connection_);
  proxy()->Close();
  end("the session was closed");
}

bool SessionCore::is_over() const {
  const std::lock_guard lock(mutex_);
  return over_;
}

void SessionCore::end(const std::string& reason) {
  std::shared_ptr<StreamCore> stream;
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    stream = stream_.lock();
  }
  if (stream) stream->end(reason);
}

std::shared_ptr<StreamCore> SessionCore::open_stream(const StreamOptions& options) {
  const std::lock_guard lock(opening_);  // a restart of the service waits, and finds the stream
  auto stream = std::make_shared<StreamCore>(options);
  connect_stream(*stream);
  bool over = false;
  {
    const std::lock_guard state(mutex_);
    stream_ = stream;
    over = over_;
  }
  if (over) stream->end("the session was closed");
  return stream;
}

void SessionCore::connect_stream(StreamCore& stream) {
  const Connection::Use in_use(*connection_);
  auto [memory, doorbell] = proxy()->OpenStream(to_dictionary(stream.options()));
  stream.attach(memory, std::move(doorbell));
}

void SessionCore::service_changed(const std::string& old_owner, const std::string& new_owner) {
  bool lost = false;
  {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    lost = !service_.empty() && service_ == old_owner;
    if (lost) service_.clear();
    // News of a change from before the session was opened.
    if (!service_.empty()) return;
  }
  ++attempt_;
  if (!new_owner.empty()) {
    later([attempt = attempt_](SessionCore& self) { self.reopen(attempt, kTries); });
  }
  if (lost) call(handlers_.lost);
}

std::optional<SessionWish> SessionCore::unfulfilled() const {
  const std::lock_guard lock(mutex_);
  if (!service_.empty()) return std::nullopt;  // an earlier try got as far as its stream
  return wish_;
}

void SessionCore::reopen(std::uint64_t attempt, int tries_left) {
  if (attempt != attempt_ || is_over()) return;  // the service has changed again, or nobody wants it any more
  try {
    translated(connection_->timeout(), [&] {
      const Connection::Use in_use(*connection_);
      const std::lock_guard lock(opening_);
      if (const auto wish = unfulfilled()) {
        const auto opened =
            connection_->root().open_session(wish->application, wish->family, to_dictionary(wish->contract));
        use(opened.path, opened.service);
      }
      if (const auto stream = stream_.lock()) connect_stream(*stream);
    });
  } catch (const Error& error) {
    if (tries_left > 1) {
      later([=](SessionCore& self) { self.reopen(attempt, tries_left - 1); }, kRetryPause);
      return;
    }
    const std::string reason = "the restarted service does not take it: " + std::string(error.what());
    end(reason);
    call(handlers_.closed, reason);
    return;
  }
  call(handlers_.reopened);
}

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

std::string Session::id() const {
  return impl_->core->id();
}

SessionInfo Session::info() const {
  return translated(impl_->core->connection()->timeout(), [&] {
    auto& core = *impl_->core;
    const Connection::Use in_use(*core.connection());
    auto info = session_from(core.id(), core.proxy()->properties());
    info.family = FamilyProxy(core.connection()->bus(), info.family).Name();
    return info;
  });
}

RecentFrames Session::recent_frames(std::uint64_t after) const {
  return translated(impl_->core->connection()->timeout(), [&] {
    const Connection::Use in_use(*impl_->core->connection());
    const auto [next, frames] = impl_->core->proxy()->RecentFrames(after);
    RecentFrames recent{.next = next, .frames = {}};
    recent.frames.reserve(frames.size());
    for (const auto& frame : frames) recent.frames.push_back(frame_record_from(frame));
    return recent;
  });
}

void Session::set_contract(const Contract& changes) {
  translated(impl_->core->connection()->timeout(), [&] { impl_->core->set_contract(changes); });
}

Answer Session::infer(const Frame& frame, const InferOptions& options) {
  return infer_async(frame, options).get();
}

std::future<Answer> Session::infer_async(const Frame& frame, const InferOptions& options) {
  const auto promise = std::make_shared<std::promise<Answer>>();
  auto future = promise->get_future();
  translated(impl_->core->connection()->timeout(), [&] {
    auto& core = *impl_->core;
    core.proxy()->send(frame, options, core.connection()->timeout(), [promise](Outcome&& outcome) {
      if (outcome.answer) {
        promise->set_value(std::move(*outcome.answer));
      } else {
        promise->set_exception(std::make_exception_ptr(*outcome.error));
      }
    });
  });
  return future;
}

void Session::infer_async(const Frame& frame, const InferOptions& options,
                          std::function<void(const Outcome&)> handler) {
  translated(impl_->core->connection()->timeout(), [&] {
    auto& core = *impl_->core;
    core.proxy()->send(frame, options, core.connection()->timeout(),
                       [queue = core.connection()->handlers(), gate = core.gate(),
                        handler = std::move(handler)](Outcome&& outcome) mutable {
                         // Moved on: what the handler holds must not be let go of on the bus's thread.
                         queue->post([gate, handler = std::move(handler), outcome = std::move(outcome)] {
                           gate->pass([&] { handler(outcome); });
                         });
                       });
  });
}

Stream Session::open_stream(const StreamOptions& options,
                            std::function<void(const StreamResult&)> on_result) {
  return translated(impl_->core->connection()->timeout(), [&] {
    auto core = impl_->core->open_stream(options);
    return Stream(std::make_unique<Stream::Impl>(std::move(core), std::move(on_result)));
  });
}

void Session::close() {
  translated(impl_->core->connection()->timeout(), [&] { impl_->core->close(); });
}

}  // namespace dofa::client

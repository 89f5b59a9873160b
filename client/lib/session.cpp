// SPDX-License-Identifier: Apache-2.0
#include "client/lib/session.hpp"

#include <utility>

#include "client/lib/errors.hpp"
#include "client/lib/frame.hpp"
#include "proto/names.hpp"

namespace dofa::client {

namespace {

/// What a reply handler is told of an error: a pointer in sdbus-c++ 1.x, an optional in 2.x; both read `if
/// (error)`.
template <class Handler>
struct ErrorArgument;
template <class Reply, class Argument>
struct ErrorArgument<std::function<void(Reply, Argument)>> {
  using type = Argument;
};
using ReplyError = ErrorArgument<sdbus::async_reply_handler>::type;

/// Hands one outcome to its receiver: the one given, or kCancelled when the bus drops the call with its
/// proxy.
class Delivery {
 public:
  explicit Delivery(Receiver receiver) : receiver_(std::move(receiver)) {}
  ~Delivery() {
    if (receiver_)
      deliver({.answer = {}, .error = Error(ErrorCode::kCancelled, "the session object was destroyed")});
  }
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  void deliver(Outcome&& outcome) { std::exchange(receiver_, nullptr)(std::move(outcome)); }
  void forget() { receiver_ = nullptr; }

 private:
  Receiver receiver_;
};

/// Passes `call` on to the handlers' thread as long as the gate is open.
void post(const std::shared_ptr<Dispatcher::Queue>& queue, const std::shared_ptr<Gate>& gate,
          std::function<void()> call) {
  queue->post([gate, call = std::move(call)] { gate->pass(call); });
}

/// The same handlers, to be called from the bus's thread.
SessionProxy::Signals deferred(const std::shared_ptr<Dispatcher::Queue>& queue,
                               const std::shared_ptr<Gate>& gate, SessionHandlers handlers) {
  SessionProxy::Signals signals;
  if (handlers.subnet_changed) {
    signals.subnet_changed = [=, handler = std::move(handlers.subnet_changed)](const SubnetChange& change) {
      post(queue, gate, [=] { handler(change); });
    };
  }
  if (handlers.contract_unmet) {
    signals.contract_unmet = [=, handler = std::move(handlers.contract_unmet)](const std::string& reason,
                                                                               const Contract& nearest) {
      post(queue, gate, [=] { handler(reason, nearest); });
    };
  }
  if (handlers.closed) {
    signals.closed = [=, handler = std::move(handlers.closed)](const std::string& reason) {
      post(queue, gate, [=] { handler(reason); });
    };
  }
  return signals;
}

}  // namespace

SessionProxy::SessionProxy(sdbus::IConnection& connection, const std::string& path, Signals signals,
                           bool listen)
    : ProxyInterfaces(connection, proto::BusName{proto::kBusName}, sdbus::ObjectPath{path}),
      signals_(std::move(signals)) {
  if (listen) registerProxy();
}

SessionProxy::~SessionProxy() {
  unregisterProxy();
}

void SessionProxy::onSubnetChanged(const std::string& from, const std::string& to,
                                   const std::string& processor, const std::string& reason) {
  if (signals_.subnet_changed) signals_.subnet_changed({from, to, processor, reason});
}

void SessionProxy::onContractUnmet(const std::string& reason,
                                   const std::map<std::string, sdbus::Variant>& nearest) {
  if (signals_.contract_unmet) signals_.contract_unmet(reason, contract_from(nearest));
}

void SessionProxy::onClosed(const std::string& reason) {
  if (signals_.closed) signals_.closed(reason);
}

void SessionProxy::close_soon() {
  try {
    getProxy().callMethod("Close").onInterface(INTERFACE_NAME).dontExpectReply();
  } catch (const sdbus::Error&) {
    // Out of reach: then the session ends with our connection.
  }
}

Dictionary SessionProxy::properties() {
  Dictionary properties;
  getProxy()
      .callMethod("GetAll")
      .onInterface("org.freedesktop.DBus.Properties")
      .withArguments(std::string{INTERFACE_NAME})
      .storeResultsTo(properties);
  return properties;
}

void SessionProxy::send(const Frame& frame, const InferOptions& options, std::chrono::microseconds timeout,
                        Receiver receiver) {
  const auto format = to_dictionary(frame, options);
  const sdbus::UnixFd memfd{sealed_copy(frame), sdbus::adopt_fd};
  const auto delivery = std::make_shared<Delivery>(std::move(receiver));
  try {
    getProxy()
        .callMethodAsync("Infer")
        .onInterface(INTERFACE_NAME)
        .withTimeout(timeout)
        .withArguments(memfd, format)
        .uponReplyInvoke([delivery](ReplyError error,
                                    const std::vector<sdbus::Struct<std::uint32_t, double>>& top,
                                    const Dictionary& info) {
          if (error) {
            delivery->deliver({.answer = {}, .error = error_from(error->getName(), error->getMessage())});
          } else {
            delivery->deliver({.answer = answer_from(top, info), .error = {}});
          }
        });
  } catch (...) {
    delivery->forget();
    throw;
  }
}

Session::Impl::Impl(std::shared_ptr<Connection> its_connection, const std::string& path, Ownership ownership,
                    SessionHandlers handlers)
    : connection(std::move(its_connection)), id(last_part(path)), owner(ownership) {
  const bool listen = handlers.subnet_changed || handlers.contract_unmet || handlers.closed;
  proxy = std::make_unique<SessionProxy>(connection->bus(), path,
                                         deferred(connection->handlers(), gate, std::move(handlers)), listen);
}

Session::Impl::~Impl() {
  gate->close();
  if (owner == Ownership::kTheirs) return;
  proxy->close_soon();
}

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

const std::string& Session::id() const {
  return impl_->id;
}

SessionInfo Session::info() const {
  return translated([&] {
    sdbus::IConnection& bus = impl_->connection->bus();
    auto info = session_from(impl_->id, impl_->proxy->properties());
    info.family = FamilyProxy(bus, info.family).Name();
    return info;
  });
}

void Session::set_contract(const Contract& changes) {
  translated([&] { impl_->proxy->SetContract(to_dictionary(changes)); });
}

Answer Session::infer(const Frame& frame, const InferOptions& options) {
  return infer_async(frame, options).get();
}

std::future<Answer> Session::infer_async(const Frame& frame, const InferOptions& options) {
  const auto promise = std::make_shared<std::promise<Answer>>();
  auto future = promise->get_future();
  translated([&] {
    impl_->proxy->send(frame, options, impl_->connection->timeout(), [promise](Outcome&& outcome) {
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
  translated([&] {
    impl_->proxy->send(frame, options, impl_->connection->timeout(),
                       [queue = impl_->connection->handlers(), gate = impl_->gate,
                        handler = std::move(handler)](Outcome&& outcome) mutable {
                         // Moved on: what the handler holds must not be let go of on the bus's thread.
                         post(queue, gate, [handler = std::move(handler), outcome = std::move(outcome)] {
                           handler(outcome);
                         });
                       });
  });
}

void Session::close() {
  translated([&] { impl_->proxy->Close(); });
}

}  // namespace dofa::client

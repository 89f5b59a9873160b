// SPDX-License-Identifier: Apache-2.0
#include "client/lib/session_proxy.hpp"

#include <utility>

#include "client/lib/errors.hpp"
#include "client/lib/frame.hpp"
#include "proto/names.hpp"

namespace dofa::client {

namespace {

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
        .uponReplyInvoke([delivery, timeout](proto::ReplyError error,
                                             const std::vector<sdbus::Struct<std::uint32_t, double>>& top,
                                             const Dictionary& info) {
          if (error) {
            delivery->deliver(
                {.answer = {}, .error = error_from(error->getName(), error->getMessage(), timeout)});
          } else {
            delivery->deliver({.answer = answer_from(top, info), .error = {}});
          }
        });
  } catch (...) {
    delivery->forget();
    throw;
  }
}

}  // namespace dofa::client

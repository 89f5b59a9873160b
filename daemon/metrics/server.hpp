// SPDX-License-Identifier: Apache-2.0
// Answers GET /metrics over HTTP, on a local socket or a loopback port, from threads of its own. However many
// ask, the runtime is looked at once in kFreshUs; nobody of the runtime ever waits for a scrape. Thread-safe;
// destroy it before the runtime.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "daemon/base.hpp"
#include "daemon/control/runtime.hpp"

namespace dofa::metrics {

inline constexpr std::int64_t kFreshUs = 250'000;

class Server {
 public:
  /// Listens on `listen`: a path (an old socket there is replaced; the new one is for its user and group), or
  /// ADDRESS:PORT, with IPv6 in brackets. kFailed where that cannot be.
  static Result<std::unique_ptr<Server>> start(const control::Runtime& runtime, const std::string& listen,
                                               const std::string& version);
  ~Server();  ///< stops answering; removes its socket
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dofa::metrics

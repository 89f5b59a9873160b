// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/server.hpp"

#include <httplib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

#include "daemon/control/clock.hpp"
#include "daemon/metrics/text.hpp"

namespace dofa::metrics {
namespace {

constexpr std::size_t kThreads = 2;  // one slow reader must not keep out the other
constexpr time_t kPatienceS = 2;     // for a request to come in, for an answer to go out
constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

struct Address {
  std::string path;  ///< of a local socket, else empty
  std::string host;
  int port = 0;
};

Address parse(const std::string& listen) {
  if (listen.starts_with('/')) return {listen, {}, 0};
  const std::size_t colon = listen.rfind(':');
  std::string host = listen.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  return {{}, host, colon == std::string::npos ? 0 : std::atoi(listen.c_str() + colon + 1)};
}

/// A socket that an earlier dofad left there; anything else stays, and binding fails.
void remove_socket(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) unlink(path.c_str());
}

}  // namespace

struct Server::Impl {
  Impl(const control::Runtime& runtime_in, std::string version_in, Address address_in)
      : runtime(runtime_in), version(std::move(version_in)), address(std::move(address_in)) {}

  /// The text of at most kFreshUs ago.
  std::string text() {
    const std::lock_guard lock(mutex);
    const std::int64_t now = control::now_us();
    if (cached.empty() || now - cached_us >= kFreshUs) {
      cached = to_text(gather(runtime, version));
      cached_us = now;
    }
    return cached;
  }

  const control::Runtime& runtime;
  const std::string version;
  const Address address;
  std::mutex mutex;
  std::string cached;
  std::int64_t cached_us = 0;
  httplib::Server http;
  std::thread thread;
};

Result<std::unique_ptr<Server>> Server::start(const control::Runtime& runtime, const std::string& listen,
                                              const std::string& version) {
  auto impl = std::make_unique<Impl>(runtime, version, parse(listen));
  httplib::Server& http = impl->http;
  http.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  http.set_read_timeout(kPatienceS);
  http.set_write_timeout(kPatienceS);
  http.set_keep_alive_max_count(1);
  http.set_payload_max_length(0);
  http.Get("/metrics", [state = impl.get()](const httplib::Request&, httplib::Response& response) {
    response.set_content(state->text(), kContentType);
  });
  const Address& address = impl->address;
  const bool local = !address.path.empty();
  if (local) {
    remove_socket(address.path);
    http.set_address_family(AF_UNIX);
  }
  errno = 0;
  // The library wants a port for local sockets as well, and ignores it.
  if (!http.bind_to_port(local ? address.path : address.host, local ? 80 : address.port)) {
    return Error{ErrorCode::kFailed,
                 "metrics.listen: " + listen + ": " + (errno != 0 ? std::strerror(errno) : "cannot listen")};
  }
  if (local) (void)chmod(address.path.c_str(), 0660);
  impl->thread = std::thread([state = impl.get()] { state->http.listen_after_bind(); });
  // stop() does nothing for a server that does not run yet.
  while (!http.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  impl_->http.stop();
  impl_->thread.join();
  if (!impl_->address.path.empty()) remove_socket(impl_->address.path);
}

}  // namespace dofa::metrics

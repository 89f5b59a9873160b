// SPDX-License-Identifier: Apache-2.0
// dofad's metrics, scraped over a plain socket as any HTTP client would.
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <dofa/client.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/daemon.hpp"
#include "tests/support/exposition.hpp"
#include "tests/support/frames.hpp"
#include "tests/support/script_family.hpp"

using namespace dofa;
using namespace dofa::test;
using client::Client;
using namespace std::chrono_literals;

namespace {

/// A connected socket; throws where nobody listens.
class Connection {
 public:
  explicit Connection(const std::filesystem::path& path)
      : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    reach(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  explicit Connection(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    reach(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void say(const std::string& text) const { (void)!send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  /// Everything until the other side hangs up.
  [[nodiscard]] std::string hear() const {
    std::string text;
    std::array<char, 4096> buffer;
    for (ssize_t count = 0; (count = read(fd_, buffer.data(), buffer.size())) > 0;)
      text.append(buffer.data(), static_cast<std::size_t>(count));
    return text;
  }

 private:
  void reach(const sockaddr* address, socklen_t size) const {
    const timeval patience{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd_, address, size) != 0) throw std::runtime_error("nobody listens");
  }
  int fd_;
};

template <class Where>
std::string get(const Where& where, const std::string& path = "/metrics") {
  const Connection connection(where);
  connection.say("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  return connection.hear();
}

template <class Where>
Exposition scrape(const Where& where) {
  std::this_thread::sleep_for(300ms);  // older answers may be told again within 250 ms
  const std::string answer = get(where);
  REQUIRE(answer.starts_with("HTTP/1.1 200 "));
  CHECK(answer.find("Content-Type: text/plain; version=0.0.4") != std::string::npos);
  return parse_exposition(answer.substr(answer.find("\r\n\r\n") + 4));
}

struct Served {
  TemporaryDirectory home;
  std::filesystem::path socket = home.path() / "metrics.sock";
  std::unique_ptr<Daemon> daemon;

  explicit Served(const std::string& listen = "") {
    write_script_family(home.path() / "colours", "colours",
                        {{"only", colour_net(), "{top1: 0.5, top5: 1, dataset: colours, images: 4}"}});
    daemon =
        std::make_unique<Daemon>("families:\n  roots: [" + home.path().string() + "]\nmetrics:\n  listen: '" +
                                 (listen.empty() ? socket.string() : listen) + "'\n");
  }
  [[nodiscard]] Client connect() const { return Client::connect({.bus = daemon->bus()}); }
};

}  // namespace

TEST_CASE("metrics on a local socket count what sessions do, and keep counting when they end") {
  Served served;
  struct stat info {};
  REQUIRE(stat(served.socket.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0660);

  auto client = served.connect();
  auto before = scrape(served.socket);
  CHECK(before.at("dofad_frames_total") == 0);
  CHECK(before.at("dofad_sessions") == 0);
  CHECK(before.at("dofad_level_accuracy_ratio{family=\"colours\",level=\"0\",subnet=\"only\"}") == 0.5);
  CHECK(before.at(
            "dofad_level_latency_seconds{family=\"colours\",level=\"0\",subnet=\"only\",processor=\"cpu\"}") >
        0);
  CHECK(before.at("dofad_processor_lanes{processor=\"cpu\"}") >= 1);
  {
    auto session = client.open_session("a \"camera\"", "colours", {.latency_budget_us = 10'000'000});
    const SolidFrame frame(64, 48, {255, 0, 0});
    for (int i = 0; i < 7; ++i) (void)session.infer(frame.view());
    const auto during = scrape(served.socket);
    const std::string labels =
        "{session=\"" + session.id() + R"(",application="a \"camera\"",family="colours"})";
    CHECK(during.at("dofad_session_frames_total" + labels) == 7);
    CHECK(during.at("dofad_session_latency_budget_seconds" + labels) == 10);
    CHECK(during.at("dofad_session_service_p95_seconds" + labels) > 0);
    CHECK(during.at("dofad_session_attainment_ratio" + labels) == session.info().attainment);
    CHECK(during.at("dofad_frames_total") == 7);
    CHECK(during.at("dofad_sessions") == 1);
  }
  const auto after = scrape(served.socket);
  CHECK(after.at("dofad_frames_total") == 7);
  CHECK(after.at("dofad_sessions") == 0);
  CHECK_FALSE(after.types.contains("dofad_session_frames_total"));
  CHECK(get(served.socket, "/").starts_with("HTTP/1.1 404 "));

  served.daemon.reset();
  CHECK_FALSE(std::filesystem::exists(served.socket));
}

TEST_CASE("readers that stall or flood hold up neither frames nor the service's end") {
  Served served;
  auto client = served.connect();
  auto session = client.open_session("camera", "colours");
  const SolidFrame frame(64, 48, {0, 255, 0});
  std::vector<std::unique_ptr<Connection>> stalled;
  for (int i = 0; i < 16; ++i) {
    stalled.push_back(std::make_unique<Connection>(served.socket));
    stalled.back()->say("GET /metr");
  }
  const Connection flooding(served.socket);
  flooding.say("POST /metrics HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n" + std::string(4096, 'x'));
  for (int i = 0; i < 50; ++i) CHECK(session.infer(frame.view()).top.at(0).class_index == 1);
  stalled.clear();
  CHECK(eventually([&] { return get(served.socket).starts_with("HTTP/1.1 200 "); }, 60'000));
  stalled.push_back(std::make_unique<Connection>(served.socket));
  served.daemon->process().signal(SIGTERM);
  CHECK(served.daemon->process().wait(30'000) == 0);
}

TEST_CASE("metrics on a loopback port, over a socket that an earlier service left, and not at all") {
  {
    Served served("127.0.0.1:29464");
    CHECK(scrape(std::uint16_t{29464}).at("dofad_sessions") == 0);
  }
  Served served;
  served.daemon->process().signal(SIGKILL);
  served.daemon->process().wait();
  REQUIRE(std::filesystem::exists(served.socket));
  const std::string config = read_file(served.daemon->config_path());
  served.daemon = std::make_unique<Daemon>(config);
  CHECK(scrape(served.socket).at("dofad_sessions") == 0);
  served.daemon.reset();
  // A file that is no socket is nobody's to remove: the service serves without metrics, and says so.
  write_file(served.socket, "precious");
  served.daemon = std::make_unique<Daemon>(config);
  CHECK(served.daemon->log().find("serving without metrics") != std::string::npos);
  CHECK(read_file(served.socket) == "precious");
  CHECK(served.connect().families().size() == 1);
}

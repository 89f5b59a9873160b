// SPDX-License-Identifier: Apache-2.0
// What libdofa-client does about a service that ends, crashes and comes back.
#include <poll.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/unit/client/client_setup.hpp"

using namespace dofa::client;
using namespace dofa::test;
using namespace std::chrono_literals;

namespace {

/// Counts what a session's handlers are told.
class Told {
 public:
  SessionHandlers handlers() {
    return {.closed =
                [this](const std::string& reason) {
                  const std::lock_guard lock(mutex_);
                  reason_ = reason;
                  note("closed");
                },
            .lost =
                [this] {
                  const std::lock_guard lock(mutex_);
                  note("lost");
                },
            .reopened =
                [this] {
                  const std::lock_guard lock(mutex_);
                  note("reopened");
                }};
  }
  bool wait_for(const std::string& words) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return words_ == words; });
  }
  std::string reason() {
    const std::lock_guard lock(mutex_);
    return reason_;
  }

 private:
  void note(const char* word) {
    words_ += (words_.empty() ? "" : " ") + std::string(word);
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string words_;
  std::string reason_;
};

struct Restart : Setup {
  Told told;
};

}  // namespace

TEST_CASE("after a restart of the service a session is open again with its contract as last set") {
  Restart setup;
  auto session =
      setup.client.open_session("test", "pets", {.level = 1, .processor = "cpu"}, setup.told.handlers());
  session.set_contract({.priority = 7, .level = 0});
  session.set_contract({.unset = {"processor"}});
  setup.service.reset();
  CHECK(setup.told.wait_for("lost"));
  CHECK_THROWS_AS(session.info(), Error);
  setup.start();
  REQUIRE(setup.told.wait_for("lost reopened"));
  CHECK(session.info().contract == Contract{.priority = 7, .level = 0});
  CHECK(session.info().application == "test");
  setup.service.reset();
  setup.start();
  REQUIRE(setup.told.wait_for("lost reopened lost reopened"));
  CHECK(session.info().id == session.id());
}

TEST_CASE(
    "frames on their way through a crash get their results, and the stream goes on in the new service") {
  Restart setup;
  auto session = setup.client.open_session("test", "pets", {}, setup.told.handlers());
  auto stream = session.open_stream(kSmall);
  const int fd = stream.fd();
  send(stream, 1);
  CHECK(receive(stream).top[0].class_index == 1);
  setup.service->stream()->hold(true);
  send(stream, 2);
  send(stream, 3);
  auto drawing = stream.try_acquire();
  REQUIRE(drawing.has_value());

  setup.service.reset();
  for (const std::uint64_t sequence : {2U, 3U}) {
    const auto result = receive(stream);
    CHECK(result.sequence == sequence);
    REQUIRE(result.error.has_value());
    CHECK(result.error->code() == ErrorCode::kCancelled);
  }
  CHECK_FALSE(stream.try_acquire().has_value());
  CHECK_FALSE(stream.try_take().has_value());

  setup.start();
  REQUIRE(setup.told.wait_for("lost reopened"));
  CHECK(stream.fd() == fd);
  drawing->pixels()[0] = std::byte{4};  // still safe to draw into, but too late
  CHECK(stream.submit(std::move(*drawing)) == 4);
  CHECK(receive(stream).error.has_value());
  CHECK(send(stream, 5) == 5);
  const auto result = receive(stream);
  CHECK(result.sequence == 5);
  CHECK(result.top.at(0).class_index == 5);
}

TEST_CASE("who polls is told of each frame that a crash cancelled") {
  Restart setup;
  auto session = setup.client.open_session("test", "pets");
  auto stream = session.open_stream(kSmall);
  setup.service->stream()->hold(true);
  for (std::uint8_t i = 0; i < 4; ++i) send(stream, i);
  setup.service.reset();
  for (int i = 0; i < 4; ++i) {
    pollfd told{stream.fd(), POLLIN, 0};
    REQUIRE(::poll(&told, 1, 10'000) == 1);
    const auto result = stream.try_take();
    REQUIRE(result.has_value());
    CHECK(result->error.has_value());
  }
}

TEST_CASE("a result made before the crash is delivered after it, with its raw outputs") {
  Restart setup;
  auto session = setup.client.open_session("test", "pets");
  auto stream =
      session.open_stream({.width = 4, .height = 2, .format = PixelFormat::kGray8, .raw_output = true});
  setup.service->stream()->hold(true);
  send(stream, 9);
  setup.service->stream()->answer(1);
  setup.service.reset();
  const auto result = receive(stream);
  CHECK_FALSE(result.error.has_value());
  CHECK(result.top.at(0).class_index == 9);
  CHECK(result.raw[1] == 1.5F);
}

TEST_CASE("a service that needs a while after its start is asked again") {
  Restart setup;
  auto session = setup.client.open_session("test", "pets", {}, setup.told.handlers());
  auto stream = session.open_stream(kSmall);
  setup.service.reset();
  const std::string member = GENERATE("OpenSession", "OpenStream");
  auto starting = std::make_unique<FakeService>(
      setup.bus.address(), std::map<std::string, std::string>{{member, "org.dofa.Dofa1.Error.NotReady"}});
  REQUIRE(starting->saw(member, 2));
  starting->fail(member, "");
  REQUIRE(setup.told.wait_for("lost reopened"));
  CHECK(setup.client.sessions().size() == 1);  // whichever try it was that opened it
  send(stream, 8);
  CHECK(receive(stream).top.at(0).class_index == 8);
}

TEST_CASE("a service restarted before it was ready is the only one that the session is opened at, once") {
  Restart setup;
  auto session = setup.client.open_session("test", "pets", {}, setup.told.handlers());
  setup.service.reset();
  auto starting = std::make_unique<FakeService>(
      setup.bus.address(),
      std::map<std::string, std::string>{{"OpenSession", "org.dofa.Dofa1.Error.NotReady"}});
  REQUIRE(starting->saw("OpenSession"));
  starting.reset();
  setup.start();
  REQUIRE(setup.told.wait_for("lost reopened"));
  std::this_thread::sleep_for(300ms);  // more than the pause between tries
  CHECK(setup.told.wait_for("lost reopened"));
}

TEST_CASE("a service that says that it stops may come back") {
  Restart setup;
  auto session = setup.client.open_session("test", "pets", {}, setup.told.handlers());
  auto stream = session.open_stream(kSmall);
  setup.service->close_session(session.id(), "service stopping");
  REQUIRE(setup.told.wait_for("closed"));
  setup.service.reset();
  REQUIRE(setup.told.wait_for("closed lost"));
  setup.start();
  REQUIRE(setup.told.wait_for("closed lost reopened"));
  send(stream, 8);
  CHECK(receive(stream).top.at(0).class_index == 8);
}

TEST_CASE("a handler's stream can be closed while there is no service") {
  Restart setup;
  auto session = setup.client.open_session("test", "pets", {}, setup.told.handlers());
  std::optional<Stream> stream = session.open_stream(kSmall, [](const StreamResult&) {});
  setup.service.reset();
  REQUIRE(setup.told.wait_for("lost"));
  std::this_thread::sleep_for(50ms);  // its thread has seen the end of the ring, and sleeps
  stream.reset();
}

TEST_CASE("a session that the service ends stays ended, and its stream says why") {
  Restart setup;
  auto session = setup.client.open_session("test", "pets", {}, setup.told.handlers());
  auto stream = session.open_stream(kSmall);
  setup.service->stream()->hold(true);
  send(stream, 1);
  setup.service->close_session(session.id(), "family unloaded");
  REQUIRE(setup.told.wait_for("closed"));
  CHECK(setup.told.reason() == "family unloaded");
  CHECK(receive(stream).error->code() == ErrorCode::kCancelled);
  try {
    (void)stream.wait(kPatience);
    FAIL("the stream did not end");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kCancelled);
    CHECK(std::string(error.what()).find("family unloaded") != std::string::npos);
  }
  CHECK_THROWS_AS(stream.try_acquire(), Error);
  for (int i = 0; i < 2; ++i) {  // who polls is told, again and again
    pollfd ended{stream.fd(), POLLIN, 0};
    CHECK(::poll(&ended, 1, 0) == 1);
    CHECK_THROWS_AS(stream.try_take(), Error);
  }
  setup.service.reset();
  setup.start();
  auto other = setup.client.open_session("other", "pets");
  CHECK(setup.service->saw("OpenSession", 1));
  CHECK(setup.client.sessions().size() == 1);
  CHECK(setup.told.wait_for("closed"));  // and nothing of a loss
}

TEST_CASE("a stream ends with its session object, and a session may open another after its stream") {
  Restart setup;
  std::optional<Session> session = setup.client.open_session("test", "pets");
  { const auto first = session->open_stream(kSmall); }
  auto stream = session->open_stream(kSmall);
  send(stream, 1);
  (void)receive(stream);
  session.reset();
  CHECK_THROWS_AS(stream.try_acquire(), Error);
  CHECK_THROWS_AS(stream.wait(kPatience), Error);
}

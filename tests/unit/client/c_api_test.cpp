// SPDX-License-Identifier: Apache-2.0
// The C API against the fake service, and the examples that use it as their users run them.
#include <dofa/client.h>

#include <cstring>

#include "tests/support/catch.hpp"
#include "tests/support/private_bus.hpp"
#include "tests/unit/client/fake_service.hpp"
#include "tests/unit/client/program.hpp"

using dofa::test::FakeService;
using dofa::test::PrivateBus;
using dofa::test::Program;

namespace {

struct Setup {
  Setup() {
    const char* const contract[] = {"latency-budget-us=30000", "min-accuracy=0.7", nullptr};
    REQUIRE(dofa_client_connect(bus.address().c_str(), &client, &error) == DOFA_OK);
    REQUIRE(dofa_session_open(client, "test", nullptr, contract, &session, &error) == DOFA_OK);
  }
  ~Setup() {
    dofa_session_close(session);
    dofa_client_close(client);
  }
  PrivateBus bus;
  FakeService service{bus.address()};
  dofa_error error{};
  dofa_client* client = nullptr;
  dofa_session* session = nullptr;
};

constexpr int kPatienceMs = 10'000;

}  // namespace

TEST_CASE("C: what goes wrong has a code, a name and a line") {
  dofa_error error{};
  dofa_client* client = nullptr;
  CHECK(dofa_client_connect("unix:path=/nonexistent/socket", &client, &error) == DOFA_E_UNREACHABLE);
  CHECK(client == nullptr);
  CHECK(error.code == DOFA_E_UNREACHABLE);
  CHECK(std::strlen(error.message) > 10);
  CHECK(dofa_client_connect("unix:path=/nonexistent/socket", &client, nullptr) == DOFA_E_UNREACHABLE);
  CHECK(dofa_client_connect("session", nullptr, &error) == DOFA_E_INVALID_ARGUMENT);
  CHECK(std::string(dofa_error_name(DOFA_E_UNREACHABLE)) == "Unreachable");
  CHECK(std::string(dofa_error_name(DOFA_E_NOT_FOUND)) == "NotFound");
  CHECK(std::string(dofa_error_name(DOFA_OK)) == "Ok");
  CHECK(std::string(dofa_error_name(DOFA_E_AGAIN)) == "Again");
  CHECK(std::string(dofa_error_name(-1)) == "Unknown");
  CHECK(std::string(dofa_error_name(17)) == "Unknown");
  dofa_client_close(nullptr);
  dofa_session_close(nullptr);
  dofa_stream_close(nullptr);
  dofa_answer_free(nullptr);
}

TEST_CASE("C: a contract is words, and a frame gets its answer") {
  Setup setup;
  const auto sent = setup.service.last_dictionary();
  CHECK(sent.at("latency-budget-us").get<std::uint64_t>() == 30'000);
  CHECK(sent.at("min-accuracy").get<double>() == 0.7);
  const char* const wrong[] = {"latency=1", nullptr};
  CHECK(dofa_session_set_contract(setup.session, wrong, &setup.error) == DOFA_E_INVALID_ARGUMENT);
  CHECK(std::string(setup.error.message).find("latency") != std::string::npos);
  const char* const right[] = {"priority=5", nullptr};
  CHECK(dofa_session_set_contract(setup.session, right, nullptr) == DOFA_OK);

  const unsigned char pixels[8] = {42};
  dofa_image image = DOFA_IMAGE_INIT;
  image.pixels = pixels;
  image.bytes = sizeof pixels;
  image.width = 4;
  image.height = 2;
  image.format = DOFA_PIXELS_GRAY8;
  dofa_answer* answer = nullptr;
  REQUIRE(dofa_session_infer(setup.session, &image, &answer, &setup.error) == DOFA_OK);
  REQUIRE(answer->top_count == 2);
  CHECK(answer->top[0].class_index == 42);
  CHECK(answer->top[0].probability == 0.75F);
  CHECK(std::string(answer->processor) == "cpu");
  CHECK(answer->service_us == 3'200);
  dofa_answer_free(answer);
  image.format = 6;
  CHECK(dofa_session_infer(setup.session, &image, &answer, nullptr) == DOFA_E_INVALID_ARGUMENT);
  image.size = 0;
  CHECK(dofa_session_infer(setup.session, &image, &answer, nullptr) == DOFA_E_INVALID_ARGUMENT);
}

TEST_CASE("C: a stream hands out a slot, takes the frame and gives its answer") {
  Setup setup;
  dofa_stream_options options = DOFA_STREAM_OPTIONS_INIT;
  options.width = 4;
  options.height = 2;
  options.format = DOFA_PIXELS_GRAY8;
  options.slots = 1;
  options.raw_output = 1;
  dofa_stream* stream = nullptr;
  REQUIRE(dofa_stream_open(setup.session, &options, &stream, &setup.error) == DOFA_OK);
  CHECK(dofa_stream_submit(stream, 0, nullptr, nullptr) == DOFA_E_INVALID_ARGUMENT);
  void* pixels = nullptr;
  void* again = nullptr;
  std::size_t bytes = 0;
  REQUIRE(dofa_stream_acquire(stream, &pixels, &bytes, &setup.error) == DOFA_OK);
  REQUIRE(dofa_stream_acquire(stream, &again, &bytes, &setup.error) == DOFA_OK);
  CHECK(pixels == again);
  REQUIRE(bytes == 8);
  std::memset(pixels, 7, bytes);
  dofa_answer* answer = nullptr;
  CHECK(dofa_stream_wait(stream, 0, &answer, &setup.error) == DOFA_E_AGAIN);
  std::uint64_t sequence = 0;
  REQUIRE(dofa_stream_submit(stream, 9'000, &sequence, &setup.error) == DOFA_OK);
  CHECK(sequence == 1);
  CHECK(dofa_stream_acquire(stream, &pixels, &bytes, nullptr) == DOFA_E_AGAIN);
  dofa_stream_count_given_up(stream);
  CHECK(dofa_stream_fd(stream) >= 0);
  REQUIRE(dofa_stream_wait(stream, kPatienceMs, &answer, &setup.error) == DOFA_OK);
  CHECK(answer->code == DOFA_OK);
  CHECK(answer->sequence == 1);
  CHECK(answer->top[0].class_index == 7);
  CHECK(answer->raw_count == 3);
  CHECK(answer->raw[1] == 1.5F);
  CHECK(answer->late == 1);
  CHECK(std::string(answer->message).empty());
  CHECK(setup.service.stream()->last_frame().deadline_us == 9'000);
  CHECK(setup.service.stream()->refused() == 1);
  dofa_answer_free(answer);

  REQUIRE(dofa_stream_acquire(stream, &pixels, &bytes, nullptr) == DOFA_OK);
  setup.service.stream()->alter([](dofa_result& result) { result.status = DOFA_STATUS_MISSED_DEADLINE; });
  REQUIRE(dofa_stream_submit(stream, 0, nullptr, nullptr) == DOFA_OK);
  REQUIRE(dofa_stream_wait(stream, kPatienceMs, &answer, &setup.error) == DOFA_OK);
  CHECK(answer->code == DOFA_E_MISSED_DEADLINE);
  CHECK(answer->top_count == 0);
  dofa_answer_free(answer);
  dofa_session_close(setup.session);
  setup.session = nullptr;
  CHECK(dofa_stream_wait(stream, 0, &answer, &setup.error) == DOFA_E_CANCELLED);
  dofa_stream_close(stream);
}

TEST_CASE("the C and the Python example run as they stand") {
  PrivateBus bus;
  FakeService service(bus.address());
  Program in_c({DOFA_EXAMPLE_INFER, bus.address()});
  CHECK(in_c.wait() == 0);
  CHECK(in_c.out() == "class 128 with 75.0 %, level 1 on cpu, 3.20 ms\n");
#if !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)  // which must be loaded before Python itself
  Program in_python({"/usr/bin/env", "python3", DOFA_SOURCE_DIR "/client/examples/stream.py", bus.address()},
                    {{"DOFA_CLIENT_LIBRARY", DOFA_CLIENT_LIBRARY}});
  CHECK(in_python.read_line() == "frame 1: class 0 with 75.0 %, level 1 on cpu, 3.20 ms");
  CHECK(in_python.read_line() == "frame 2: class 32 with 75.0 %, level 1 on cpu, 3.20 ms");
  CHECK(in_python.wait() == 0);
#endif
}

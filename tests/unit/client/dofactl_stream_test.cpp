// SPDX-License-Identifier: Apache-2.0
// dofactl stream as its users run it, against a fake service that offers a ring.
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>

#include "tests/support/catch.hpp"
#include "tests/support/private_bus.hpp"
#include "tests/unit/client/fake_service.hpp"
#include "tests/unit/client/program.hpp"
#ifdef DOFA_WITH_VIDEO
#include <opencv2/videoio.hpp>
#endif

using namespace dofa::test;
namespace fs = std::filesystem;

namespace {

/// Two grey pictures (PGM needs no library to write) and a file that is none.
class Pictures {
 public:
  Pictures() {
    char pattern[] = "/tmp/dofactl-stream-XXXXXX";
    path_ = ::mkdtemp(pattern);
    std::ofstream(path_ / "a.pgm", std::ios::binary) << "P5 3 2 255\n" << std::string(6, '\x10');
    std::ofstream(path_ / "b.pgm", std::ios::binary) << "P5 5 4 255\n" << std::string(20, '\x20');
    std::ofstream(path_ / "notes.txt") << "no picture";
  }
  ~Pictures() { fs::remove_all(path_); }
  [[nodiscard]] std::string path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace

TEST_CASE("dofactl stream sends a folder's pictures in order and sums up what became of them") {
  const PrivateBus bus;
  FakeService service(bus.address());
  const Pictures pictures;
  Program program({DOFACTL_PROGRAM, "--bus", bus.address(), "stream", pictures.path(), "--json", "--fps",
                   "100", "--loop", "--frames", "6", "--contract", "priority=2"});
  const int code = program.wait();
  INFO(program.err());
  CHECK(code == 0);
  CHECK(program.err().find("notes.txt: is not an image") != std::string::npos);
  const auto lines = program.out();
  const auto total = YAML::Load(lines.substr(lines.rfind('\n', lines.size() - 2) + 1));
  CHECK(total["schema"].as<int>() == 1);
  CHECK(total["span"].as<std::string>() == "total");
  CHECK(total["submitted"].as<int>() + total["given_up"].as<int>() == 6);
  CHECK(total["answered"].as<int>() == total["submitted"].as<int>());
  CHECK(total["failed"].as<int>() == 0);
  CHECK(total["attainment"].as<double>() == 0);  // the fake is late with each
  CHECK(total["level"].as<int>() == 1);
  CHECK(total["latency_us_mean"].as<int>() == 3'210);
  const auto frame = service.stream()->last_frame();
  CHECK(frame.width == 5);  // the sixth is b.pgm, in its own shape
  CHECK(frame.height == 4);
  CHECK(frame.format == DOFA_FORMAT_RGB8);
}

TEST_CASE("dofactl stream says that the service is away, and sums up although its session was ended") {
  const PrivateBus bus;
  auto service = std::make_unique<FakeService>(bus.address());
  const Pictures pictures;
  Program program({DOFACTL_PROGRAM, "--bus", bus.address(), "stream", pictures.path(), "--loop"});
  CHECK(program.read_line().find("away") == std::string::npos);
  service.reset();
  const auto says_away = [&] { return program.read_line().ends_with("; dofad is away"); };
  CHECK((says_away() || says_away() || says_away()));
  service = std::make_unique<FakeService>(bus.address());
  REQUIRE(service->saw("OpenStream"));
  while (says_away()) continue;
  service->close_session("7", "family unloaded");
  CHECK(program.wait() == 1);
  CHECK(program.out().find("total: ") != std::string::npos);
  CHECK(program.err().find("dofactl: the stream has ended: family unloaded\n") != std::string::npos);
}

TEST_CASE("dofactl stream keeps its pace after it was held up") {
  const PrivateBus bus;
  FakeService service(bus.address());
  const Pictures pictures;
  Program program({DOFACTL_PROGRAM, "--bus", bus.address(), "stream", pictures.path(), "--json", "--fps",
                   "50", "--loop", "--frames", "75"});
  program.read_line();
  program.send(SIGSTOP);
  ::usleep(600'000);
  program.send(SIGCONT);
  CHECK(program.wait() == 0);
  const auto lines = program.out();
  const auto total = YAML::Load(lines.substr(lines.rfind('\n', lines.size() - 2) + 1));
  CHECK(total["seconds"].as<double>() > 75 / 50. + 0.5);  // what was missed is not made up for
}

TEST_CASE("dofactl stream names the pictures that are too large for the service, and sends the others") {
  const PrivateBus bus;
  FakeService service(bus.address());
  const Pictures pictures;
  std::uint32_t widest = 4;
  service.spoil_rings([&widest](dofa_ring& head) {
    if (head.width > widest)
      throw dofa::proto::error("org.dofa.Dofa1.Error.InvalidArgument", "limits.frame_bytes: 60 is above 20");
  });
  const std::vector<std::string> words{DOFACTL_PROGRAM, "--bus",  bus.address(), "stream",
                                       pictures.path(), "--json", "--fps",       "100"};
  Program program(words);
  CHECK(program.wait() == 0);
  CHECK(program.err().find("b.pgm: limits.frame_bytes: 60 is above 20\n") != std::string::npos);
  CHECK(service.stream()->last_frame().width == 3);
  widest = 2;
  Program none(words);
  CHECK(none.wait() == 1);
  CHECK(none.err().find("a.pgm: limits.frame_bytes: 60 is above 20\n") != std::string::npos);
}

TEST_CASE("dofactl stream says what is wrong with its source") {
  const PrivateBus bus;
  FakeService service(bus.address());
  for (const char* source : {"/nonexistent", "/proc/self/status"}) {
    Program program({DOFACTL_PROGRAM, "--bus", bus.address(), "stream", source});
    CHECK(program.wait() == 1);
    CHECK(program.err().find(std::string(source) + ": is no folder, video file or camera") !=
          std::string::npos);
  }
}

#ifdef DOFA_WITH_VIDEO

namespace {

/// Five frames of one grey each, 40 brighter from one to the next, 20 a second.
void write_video(const fs::path& file) {
  cv::VideoWriter writer(file.string(), cv::VideoWriter::fourcc('M', 'J', 'P', 'G'), 20, {64, 48});
  REQUIRE(writer.isOpened());
  for (int frame = 0; frame < 5; ++frame)
    writer.write(cv::Mat(48, 64, CV_8UC3, cv::Scalar::all(20 + 40 * frame)));
}

YAML::Node total_of(const std::string& lines) {
  return YAML::Load(lines.substr(lines.rfind('\n', lines.size() - 2) + 1));
}

}  // namespace

TEST_CASE("dofactl stream sends a video at its own pace, and again where it is told to loop") {
  const PrivateBus bus;
  FakeService service(bus.address());
  const Pictures folder;
  const auto video = fs::path(folder.path()) / "grey.avi";
  write_video(video);
  {
    Program program({DOFACTL_PROGRAM, "--bus", bus.address(), "stream", video, "--json"});
    const int code = program.wait();
    INFO(program.err());
    CHECK(code == 0);
    const auto total = total_of(program.out());
    CHECK(total["submitted"].as<int>() == 5);
    CHECK(total["answered"].as<int>() == 5);
    const auto frame = service.stream()->last_frame();
    CHECK(frame.width == 64);
    CHECK(frame.height == 48);
    CHECK(frame.format == DOFA_FORMAT_BGR8);
    const auto best = service.stream()->classes();  // the first byte of each frame
    REQUIRE(best.size() == 5);
    for (int i = 0; i < 5; ++i)
      CHECK(std::abs(static_cast<int>(best[i]) - (20 + 40 * i)) <= 4);  // MJPEG is lossy
    CHECK(service.last_dictionary_of("OpenSession").at("period-us").get<std::uint64_t>() == 50'000);
  }
  Program program({DOFACTL_PROGRAM, "--bus", bus.address(), "stream", video, "--json", "--loop", "--frames",
                   "12", "--fps", "200"});
  CHECK(program.wait() == 0);
  const auto total = total_of(program.out());
  CHECK(total["submitted"].as<int>() + total["given_up"].as<int>() == 12);
}

TEST_CASE("dofactl stream says what is wrong with a video or camera") {
  const PrivateBus bus;
  FakeService service(bus.address());
  const Pictures folder;
  Program text({DOFACTL_PROGRAM, "--bus", bus.address(), "stream", folder.path() + "/notes.txt"});
  CHECK(text.wait() == 1);
  CHECK(text.err().find("notes.txt: is no folder, video file or camera that can be read") !=
        std::string::npos);
  Program camera({DOFACTL_PROGRAM, "--bus", bus.address(), "stream", "4711"});
  CHECK(camera.wait() == 1);
  CHECK(camera.err().find("4711: is no folder, video file or camera that can be read") != std::string::npos);
}

#endif

TEST_CASE("a verb whose program is not installed names the package that has it") {
  const Pictures folder;
  const auto alone = fs::path(folder.path()) / "dofactl";
  fs::copy_file(DOFACTL_PROGRAM, alone);
  Program program({alone, "stream", folder.path() + "/notes.txt"});
  CHECK(program.wait() == 1);
  CHECK(program.err() == "dofactl: this needs the program dofactl-video: install the package dofa-tools\n");
}

TEST_CASE("dofactl bench-client plays several applications and sums up what each got") {
  const PrivateBus bus;
  FakeService service(bus.address());
  Program program({DOFACTL_PROGRAM, "--bus", bus.address(), "bench-client", "--sessions", "3", "--rate", "50",
                   "--seconds", "0.4", "--size", "8x6", "--format", "nv12", "--contract", "priority=4",
                   "--json"});
  const int code = program.wait();
  INFO(program.err());
  CHECK(code == 0);
  const auto report = YAML::Load(program.out());
  CHECK(report["schema"].as<int>() == 1);
  CHECK(report["format"].as<std::string>() == "nv12");
  CHECK(report["contract"]["priority"].as<int>() == 4);
  CHECK(report["contract"]["period-us"].as<int>() == 20'000);
  REQUIRE(report["sessions"].size() == 3);
  int submitted = 0;
  for (const auto& session : report["sessions"]) {
    submitted += session["submitted"].as<int>();
    CHECK(session["submitted"].as<int>() + session["given_up"].as<int>() == 20);
    CHECK(session["answered"].as<int>() == session["submitted"].as<int>());
    CHECK(session["late"].as<int>() == session["answered"].as<int>());  // the fake is late with each
    CHECK(session["attainment"].as<double>() == 0);
    CHECK(session["level_mean"].as<double>() == 1);
    CHECK(session["service_us_p50"].as<double>() == 3'210);
    CHECK(session["latency_us_p99"].as<double>() >= session["latency_us_p50"].as<double>());
  }
  CHECK(report["total"]["submitted"].as<int>() == submitted);
  CHECK(report["total"]["lost"].as<int>() == 0);
  CHECK(report["total"]["failed"].as<int>() == 0);

  for (const auto& [option, value] :
       {std::pair{"--size", "8"}, std::pair{"--size", "0x4"}, std::pair{"--format", "jpeg"},
        std::pair{"--rate", "0"}, std::pair{"--sessions", "0"}}) {
    Program wrong({DOFACTL_PROGRAM, "--bus", bus.address(), "bench-client", option, value});
    CHECK(wrong.wait() == 2);
    CHECK(wrong.err().find(option) != std::string::npos);
  }
}

TEST_CASE("bench-client counts frames that fail, and says so with its exit code") {
  const PrivateBus bus;
  FakeService service(bus.address(), {});
  service.alter_streams([](dofa_result& result) { result.status = DOFA_STATUS_MISSED_DEADLINE; });
  Program program({DOFACTL_PROGRAM, "--bus", bus.address(), "bench-client", "--seconds", "0.2", "--size",
                   "8x6", "--json"});
  CHECK(program.wait() == 1);
  const auto total = YAML::Load(program.out())["total"];
  CHECK(total["failed"].as<int>() == total["submitted"].as<int>());
  CHECK(total["answered"].as<int>() == 0);
  CHECK_FALSE(total["latency_us_p50"]);
}

TEST_CASE("dofactl set returns a key to its default") {
  const PrivateBus bus;
  FakeService service(bus.address());
  const auto session = service.open_session("camera", {});
  Program program({DOFACTL_PROGRAM, "--bus", bus.address(), "set", session, "level=", "priority=5"});
  CHECK(program.wait() == 0);
  CHECK(service.last_dictionary().at("unset").get<std::vector<std::string>>() ==
        std::vector<std::string>{"level"});
  CHECK(service.last_dictionary().at("priority").get<std::uint32_t>() == 5);
  Program twice({DOFACTL_PROGRAM, "--bus", bus.address(), "set", session, "level=1", "level="});
  CHECK(twice.wait() == 2);
  Program unknown({DOFACTL_PROGRAM, "--bus", bus.address(), "set", session, "colour="});
  CHECK(unknown.wait() == 2);
}

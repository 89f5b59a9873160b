// SPDX-License-Identifier: Apache-2.0
// Loading and unloading on the real daemon: hostile families are refused by name, good ones stay.
#include <sys/stat.h>

#include <dofa/client.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/daemon.hpp"
#include "tests/support/frames.hpp"
#include "tests/support/script_family.hpp"

using namespace dofa;
using namespace dofa::test;
using client::Client;
using client::ErrorCode;
namespace fs = std::filesystem;

namespace {

struct Refusal {
  ErrorCode code;
  std::string message;
};

Refusal refusal_of(Client& client, const fs::path& directory) {
  try {
    (void)client.load_family(directory.string());
    return {ErrorCode::kFailed, "no error"};
  } catch (const client::Error& error) {
    return {error.code(), error.what()};
  }
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void replace_in(const fs::path& file, const std::string& from, const std::string& to) {
  std::string text = read_file(file);
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  write_file(file, text.replace(at, from.size(), to));
}

}  // namespace

TEST_CASE("families that are broken or hostile are refused by name and cost nobody anything") {
  TemporaryDirectory home;
  const fs::path root = home.path() / "root";
  write_script_family(root / "good", "good", {{"only", colour_net()}});
  Daemon daemon("families:\n  roots: [" + root.string() + "]\n  load: [good]\n  verify_timeout_s: 15\n");
  Client client = Client::connect({.bus = daemon.bus()});
  auto session = client.open_session("witness", "good");
  const fs::path bad = root / "bad";
  const auto make = [&](const std::string& forward) { write_script_family(bad, "bad", {{"net", forward}}); };

  Refusal refusal{};
  SECTION("a missing directory") {
    refusal = refusal_of(client, root / "none");
    CHECK(refusal.code == ErrorCode::kNotFound);
  }
  SECTION("outside of the roots") {
    write_script_family(home.path() / "elsewhere", "bad", {{"net", colour_net()}});
    refusal = refusal_of(client, home.path() / "elsewhere");
    CHECK(refusal.code == ErrorCode::kInvalidFamily);
    CHECK(contains(refusal.message, "families.roots"));
    CHECK(refusal_of(client, root / "../elsewhere").code == ErrorCode::kInvalidFamily);
    fs::create_directory_symlink(home.path() / "elsewhere", root / "link");
    CHECK(refusal_of(client, root / "link").code == ErrorCode::kInvalidFamily);
  }
  SECTION("a file that is missing, outside of its directory, or reached by a link that leads outside") {
    make(colour_net());
    write_file(home.path() / "outside.pt", "x");
    for (const std::string name : {"none.pt", "../../outside.pt", "/etc/passwd", "link.pt"}) {
      fs::remove(bad / "link.pt");
      fs::create_symlink(home.path() / "outside.pt", bad / "link.pt");
      make(colour_net());
      replace_in(bad / "family.yaml", "file: net.pt", "file: " + name);
      refusal = refusal_of(client, bad);
      INFO(name << ": " << refusal.message);
      CHECK(refusal.code == ErrorCode::kInvalidFamily);
    }
  }
  SECTION("corrupt and truncated weights") {
    make(colour_net());
    const std::string whole = read_file(bad / "net.pt");
    for (const std::string& text :
         {whole.substr(0, whole.size() / 2), std::string("PK\x03\x04 garbage"), std::string()}) {
      write_file(bad / "net.pt", text);
      refusal = refusal_of(client, bad);
      CHECK(refusal.code == ErrorCode::kInvalidFamily);
      CHECK(contains(refusal.message, "net.pt"));
    }
  }
  SECTION("an endless loop, within the configured time") {
    make("    i = 0\n    while i >= 0:\n        i = (i + 1) % 1000\n" + colour_net());
    refusal = refusal_of(client, bad);
    CHECK(refusal.code == ErrorCode::kInvalidFamily);
    CHECK(contains(refusal.message, "longer than 15 s"));
  }
  SECTION("the wrong number of classes") {
    make("    return x.mean([2, 3])\n");
    refusal = refusal_of(client, bad);
    CHECK(refusal.code == ErrorCode::kInvalidFamily);
    CHECK(contains(refusal.message, "1 x 4"));
  }
  SECTION("labels that do not match") {
    make(colour_net());
    write_file(bad / "labels.txt", "red\ngreen\n");
    refusal = refusal_of(client, bad);
    CHECK(contains(refusal.message, "labels.txt"));
  }
  SECTION("an exception, and NaN, on the dry run") {
    make("    return x.reshape(7)\n");
    CHECK(refusal_of(client, bad).code == ErrorCode::kInvalidFamily);
    make("    return torch.full([1, 4], 0.0) / 0.0\n");
    refusal = refusal_of(client, bad);
    CHECK(contains(refusal.message, "NaN"));
  }
  SECTION("files that others may write") {
    make(colour_net());
    chmod((bad / "net.pt").c_str(), 0666);
    refusal = refusal_of(client, bad);
    CHECK(contains(refusal.message, "writable"));
    chmod((bad / "net.pt").c_str(), 0644);
    chmod(bad.c_str(), 0777);
    CHECK(contains(refusal_of(client, bad).message, "writable"));
    chmod(bad.c_str(), 0755);
    if (geteuid() == 0) {
      REQUIRE(chown((bad / "net.pt").c_str(), 12345, 12345) == 0);
      CHECK(contains(refusal_of(client, bad).message, "belongs to another user"));
    }
  }
  SECTION("a description with a fault") {
    make(colour_net());
    replace_in(bad / "family.yaml", "classes: 4", "clases: 4");
    refusal = refusal_of(client, bad);
    CHECK(contains(refusal.message, "family.yaml:"));
  }
  SECTION("a name that is taken") {
    write_script_family(bad, "good", {{"net", colour_net()}});
    refusal = refusal_of(client, bad);
    CHECK(refusal.code == ErrorCode::kAlreadyExists);
  }
  INFO(refusal.message);
  CHECK(refusal.message != "no error");
  CHECK(client.families().size() == 1);
  CHECK(session.infer(SolidFrame(32, 32, {255, 0, 0}).view()).top[0].class_index == 0);
}

TEST_CASE("a family that is in use is unloaded only by force, which its sessions are told") {
  TemporaryDirectory home;
  write_script_family(home.path() / "colours", "colours", {{"only", colour_net()}});
  Daemon daemon("families:\n  roots: [" + home.path().string() + "]\n");
  Client client = Client::connect({.bus = daemon.bus()});
  std::promise<std::string> closed;
  auto session = client.open_session("user", "colours", {},
                                     {.closed = [&](const std::string& why) { closed.set_value(why); }});
  try {
    client.unload_family("colours");
    FAIL("it was unloaded");
  } catch (const client::Error& error) {
    CHECK(error.code() == ErrorCode::kBusy);
  }
  CHECK(session.infer(SolidFrame(32, 32, {255, 0, 0}).view()).top[0].class_index == 0);
  client.unload_family("colours", true);
  auto reason = closed.get_future();
  REQUIRE(reason.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  CHECK(reason.get() == "family unloaded");
  CHECK(client.families().empty());
  CHECK(client.load_family((home.path() / "colours").string()) == "colours");
  CHECK(client.open_session("again", "colours")
            .infer(SolidFrame(32, 32, {0, 255, 0}).view())
            .top[0]
            .class_index == 1);
}

TEST_CASE("more families than the limit are refused") {
  TemporaryDirectory home;
  write_script_family(home.path() / "one", "one", {{"only", colour_net()}});
  write_script_family(home.path() / "two", "two", {{"only", colour_net()}});
  Daemon daemon("families:\n  roots: [" + home.path().string() +
                "]\n  load: [one]\nlimits:\n  families: 1\n");
  Client client = Client::connect({.bus = daemon.bus()});
  const Refusal refusal = refusal_of(client, home.path() / "two");
  CHECK(refusal.code == ErrorCode::kResourceExhausted);
  CHECK(contains(refusal.message, "limits.families"));
}

// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/family_files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::control;
namespace fs = std::filesystem;

namespace {

struct Roots {
  fs::path home;
  std::vector<std::string> roots;
  Roots() {
    char name[] = "/tmp/dofa-files-XXXXXX";
    home = mkdtemp(name);
    roots = {(home / "a").string(), (home / "b").string()};
    for (const std::string& root : roots) make_directory(root);
  }
  ~Roots() { fs::remove_all(home); }
  static void make_directory(const fs::path& path) {
    fs::create_directories(path);
    chmod(path.c_str(), 0755);
  }
  static void write(const fs::path& path, const std::string& text) {
    std::ofstream(path) << text;
    chmod(path.c_str(), 0644);
  }
  void family(const fs::path& directory, const std::string& file) const {
    make_directory(directory);
    write(directory / "family.yaml",
          "schema: 1\nname: f\nkind: torchscript\ntask: classification\nclasses: 2\nsubnets:\n"
          "  - {name: n, resolution: 32, file: " +
              file + "}\n");
  }
  [[nodiscard]] std::string fault(const std::string& directory) const {
    const auto checked = check_family(roots, directory);
    return checked ? "none" : checked.error().message;
  }
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a family is found by name or path beneath any root, its files beside it or beneath any root") {
  Roots r;
  r.family(r.home / "b/one", "net.pt");
  Roots::write(r.home / "b/one/net.pt", "x");
  CHECK(r.fault("one") == "none");
  CHECK(r.fault((r.home / "b/one").string()) == "none");
  CHECK(find_families(r.roots) == std::vector<std::string>{"one"});
  Roots::write(r.home / "a/elsewhere.pt", "x");
  r.family(r.home / "b/two", (r.home / "a/elsewhere.pt").string());
  CHECK(r.fault("two") == "none");
  r.family(r.home / "b/three", "link.pt");
  fs::create_symlink(r.home / "a/elsewhere.pt", r.home / "b/three/link.pt");
  CHECK(r.fault("three") == "none");
}

TEST_CASE("whatever leads outside of the roots is refused") {
  Roots r;
  Roots::write(r.home / "secret.pt", "x");
  for (const std::string& file :
       std::vector<std::string>{"../../secret.pt", (r.home / "secret.pt").string(), "link.pt"}) {
    r.family(r.home / "a/bad", file);
    fs::remove(r.home / "a/bad/link.pt");
    fs::create_symlink(r.home / "secret.pt", r.home / "a/bad/link.pt");
    INFO(file);
    CHECK(r.fault("bad") != "none");
  }
  r.family(r.home / "outside", "net.pt");
  CHECK(contains(r.fault((r.home / "outside").string()), "families.roots"));
  CHECK(contains(r.fault((r.home / "a/../outside").string()), "families.roots"));
  fs::create_directory_symlink(r.home / "outside", r.home / "a/link");
  CHECK(r.fault("link") != "none");
  CHECK(r.fault("../outside") != "none");
  CHECK(r.fault("") != "none");
}

TEST_CASE("what others may write is refused, from the root down") {
  Roots r;
  r.family(r.home / "a/one", "net.pt");
  Roots::write(r.home / "a/one/net.pt", "x");
  for (const fs::path& path :
       {r.home / "a", r.home / "a/one", r.home / "a/one/family.yaml", r.home / "a/one/net.pt"}) {
    struct stat before {};
    stat(path.c_str(), &before);
    chmod(path.c_str(), before.st_mode | S_IWOTH);
    INFO(path);
    CHECK(contains(r.fault("one"), "writable"));
    chmod(path.c_str(), before.st_mode);
    CHECK(r.fault("one") == "none");
  }
}

TEST_CASE("directories, pipes and devices are no weights") {
  Roots r;
  r.family(r.home / "a/one", "net.pt");
  fs::create_directory(r.home / "a/one/net.pt");
  CHECK(contains(r.fault("one"), "regular file"));
  fs::remove(r.home / "a/one/net.pt");
  REQUIRE(mkfifo((r.home / "a/one/net.pt").c_str(), 0644) == 0);
  CHECK(contains(r.fault("one"), "regular file"));
}

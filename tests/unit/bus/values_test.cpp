// SPDX-License-Identifier: Apache-2.0
#include "daemon/bus/values.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <limits>

#include "daemon/bus/memfd.hpp"
#include "daemon/bus/pinned_memory.hpp"
#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::bus;

namespace {

template <class T>
Result<policy::Contract> with(const std::string& key, T value) {
  return apply_changes({}, {{key, sdbus::Variant{value}}});
}

}  // namespace

TEST_CASE("a contract survives the way to D-Bus and back") {
  policy::Contract contract;
  contract.latency_budget_us = 30'000;
  contract.period_us = 40'000;
  contract.min_accuracy = 0.72;
  contract.objective = policy::Objective::kLatency;
  contract.percentile = 0.99;
  contract.priority = 7;
  contract.when_late = policy::WhenLate::kDrop;
  contract.level = 3;
  contract.processor = "cpu";
  const auto again = apply_changes({}, to_dictionary(contract));
  if (!again) FAIL(again.error().message);
  CHECK(*again == contract);
  CHECK_FALSE(to_dictionary({}).contains("latency-budget-us"));
}

TEST_CASE("integers are taken in any integer type that holds the value, and in no other") {
  CHECK(with("latency-budget-us", std::uint64_t{1000})->latency_budget_us == 1000);
  CHECK(with("latency-budget-us", std::int32_t{1000})->latency_budget_us == 1000);
  CHECK(with("priority", std::uint8_t{9})->priority == 9);
  CHECK_FALSE(with("latency-budget-us", std::int64_t{-1}).ok());
  CHECK_FALSE(with("latency-budget-us", std::numeric_limits<std::uint64_t>::max()).ok());
  CHECK_FALSE(with("latency-budget-us", 1000.0).ok());
  CHECK_FALSE(with("latency-budget-us", std::string("1000")).ok());
  CHECK_FALSE(with("level", std::uint64_t{1} << 32).ok());
  CHECK(with("min-accuracy", std::uint32_t{1})->min_accuracy == 1.0);
}

TEST_CASE("unknown keys are named") {
  const auto result = with("latency", std::uint64_t{1});
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().message.find("'latency'") != std::string::npos);
}

TEST_CASE("paths hold any name") {
  CHECK(escape_path("cifar10") == "cifar10");
  CHECK(escape_path("mobilenet_v1-0.5") == "mobilenet_5fv1_2d0_2e5");
  CHECK(escape_path("") == "_");
}

TEST_CASE("a frame is mapped only from a memfd that can neither shrink nor change") {
  const int fd = memfd_create("frame", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  const std::vector<char> zeros(4096);
  REQUIRE(write(fd, zeros.data(), zeros.size()) == 4096);
  CHECK_FALSE(MappedFrame::map(fd, 4096).ok());
  REQUIRE(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0);
  CHECK_FALSE(MappedFrame::map(fd, 4097).ok());
  const auto frame = MappedFrame::map(fd, 4096);
  REQUIRE(frame.ok());
  close(fd);
  CHECK(frame->data()[4095] == std::byte{0});  // the mapping outlives the descriptor
  CHECK_FALSE(MappedFrame::map(STDIN_FILENO, 1).ok());
}

TEST_CASE("a frame with holes is refused: reading them would allocate memory on the service's account") {
  const int fd = memfd_create("holes", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  REQUIRE(ftruncate(fd, 3 * 4096) == 0);
  REQUIRE(pwrite(fd, "x", 1, 4096) == 1);
  REQUIRE(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0);
  const auto frame = MappedFrame::map(fd, 3 * 4096);
  close(fd);
  REQUIRE_FALSE(frame.ok());
  CHECK(frame.error().message.find("holes") != std::string::npos);
}

TEST_CASE("keys that are unset return to their defaults before others are set") {
  const auto list = [](std::vector<std::string> names) { return sdbus::Variant{std::move(names)}; };
  policy::Contract fixed;
  fixed.level = 3;
  fixed.processor = "cpu";
  fixed.priority = 7;
  const auto freed = apply_changes(fixed, {{"unset", list({"level", "processor"})}});
  REQUIRE(freed.ok());
  CHECK_FALSE(freed->level);
  CHECK_FALSE(freed->processor);
  CHECK(freed->priority == 7);
  const auto moved =
      apply_changes(fixed, {{"unset", list({"level", "priority"})}, {"level", sdbus::Variant{1U}}});
  REQUIRE(moved.ok());
  CHECK(moved->level == 1);
  CHECK(moved->priority == 1);
  for (const char* key :
       {"latency-budget-us", "min-accuracy", "period-us", "objective", "percentile", "when-late"})
    CHECK(apply_changes(fixed, {{"unset", list({key})}}).ok());

  CHECK(apply_changes(fixed, {{"unset", list({"colour"})}}).error().code == ErrorCode::kInvalidArgument);
  CHECK(apply_changes(fixed, {{"unset", sdbus::Variant{std::string("level")}}}).error().code ==
        ErrorCode::kInvalidArgument);
  CHECK(parse_contract({{"unset", list({"level"})}}).error().code == ErrorCode::kInvalidArgument);
}

TEST_CASE("the memory of a user's waiting frames has a limit, of which others' take nothing") {
  const auto pinned = std::make_shared<PinnedMemory>();
  auto first = pinned->take(1000, 60, 100);
  REQUIRE(first);
  CHECK_FALSE(pinned->take(1000, 41, 100));
  CHECK_FALSE(pinned->take(1000, UINT64_MAX, 100));
  CHECK(pinned->take(1001, 100, 100));
  const auto second = pinned->take(1000, 40, 100);
  CHECK(second);
  CHECK_FALSE(pinned->take(1000, 1, 100));
  first.reset();
  CHECK(pinned->take(1000, 60, 100));
  CHECK_FALSE(pinned->take(1000, 61, 100));
}

TEST_CASE("a frame keeps its whole memfd in memory, however little of it it needs") {
  const int fd = memfd_create("large", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  REQUIRE(ftruncate(fd, 1 << 20) == 0);
  REQUIRE(write(fd, "twelve bytes", 12) == 12);
  REQUIRE(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0);
  const auto frame = MappedFrame::map(fd, 12);
  close(fd);
  REQUIRE(frame.ok());
  CHECK(frame->pinned_bytes() == 1 << 20);
}

// SPDX-License-Identifier: Apache-2.0
// The scheduler without lanes: the test takes the jobs itself.
#include "daemon/control/scheduler.hpp"

#include <sys/socket.h>

#include <vector>

#include "daemon/control/session.hpp"
#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::control;

namespace {

class TestFrame final : public Frame {
 public:
  void done(const Error*, const FrameAnswer&) noexcept override {}
};

policy::FamilyPtr two_levels() {
  policy::FamilyProfile profile;
  profile.accuracy_measured = true;
  for (const auto& [accuracy, time_us] : {std::pair{0.6, 2'000.0}, std::pair{0.8, 10'000.0}}) {
    policy::LevelProfile level;
    level.accuracy = accuracy;
    level.time_us[0] = time_us;
    profile.levels.push_back(level);
  }
  return std::make_shared<policy::FamilyProfile>(profile);
}

struct Rig {
  Scheduler scheduler{{{"cpu", 1}}, 64};
  std::shared_ptr<LoadedFamily> family = std::make_shared<LoadedFamily>("none", nullptr);

  std::shared_ptr<Session> open(const policy::Contract& contract) {
    const auto id = scheduler.open(contract, two_levels());
    if (!id) FAIL(id.error().message);
    auto session = std::make_shared<Session>(SessionIdentity{}, *id, family, scheduler);
    scheduler.attach(session);
    return session;
  }
  Result<void> submit(TestFrame& frame, const std::shared_ptr<Session>& session, std::uint32_t limit = 8) {
    frame.session = session;
    frame.arrival_us = now_us();
    return scheduler.submit(frame, limit);
  }
};

policy::Contract with_budget(std::int64_t budget_us) {
  policy::Contract contract;
  contract.latency_budget_us = budget_us;
  return contract;
}

}  // namespace

TEST_CASE("a frame comes out with the best level that its deadline allows, and is counted") {
  Rig rig;
  const auto session = rig.open(with_budget(200'000));
  TestFrame frame;
  REQUIRE(rig.submit(frame, session).ok());
  CHECK(rig.scheduler.waiting() == 1);
  const Job job = rig.scheduler.next(0, 0);
  REQUIRE(job.kind == Job::Kind::kRun);
  CHECK(job.frame == &frame);
  CHECK(job.level == 1);
  CHECK(rig.scheduler.waiting() == 0);
  frame.answer.level = job.level;
  frame.answer.inference_us = 10'000;
  rig.scheduler.finished(*session, 0, frame, frame.arrival_us, frame.arrival_us + 10'000);
  CHECK_FALSE(frame.answer.late);
  CHECK(session->stats().frames() == 1);
  CHECK(session->stats().missed() == 0);
  CHECK(session->stats().mean_accuracy() == Catch::Approx(0.8));
}

TEST_CASE("frames come out in the order of their deadlines, not of their arrival") {
  Rig rig;
  const auto patient = rig.open(with_budget(900'000));
  const auto hasty = rig.open(with_budget(100'000));
  TestFrame first;
  TestFrame second;
  REQUIRE(rig.submit(first, patient).ok());
  REQUIRE(rig.submit(second, hasty).ok());
  CHECK(rig.scheduler.next(0, 0).frame == &second);
  CHECK(rig.scheduler.next(0, 0).frame == &first);
  CHECK(rig.scheduler.next(0, 0).kind == Job::Kind::kIdle);
}

TEST_CASE("a frame may relax its deadline but not tighten it") {
  Rig rig;
  const auto session = rig.open(with_budget(100'000));
  TestFrame tight;
  tight.relative_deadline_us = 1;
  REQUIRE(rig.submit(tight, session).ok());
  CHECK(tight.deadline_us == tight.arrival_us + 100'000);
  TestFrame loose;
  loose.relative_deadline_us = 500'000;
  REQUIRE(rig.submit(loose, session).ok());
  CHECK(loose.deadline_us == loose.arrival_us + 500'000);
}

TEST_CASE("the queue's limit refuses by name, and a refused frame counts as missed") {
  Rig rig;
  const auto session = rig.open({});
  TestFrame frames[3];
  REQUIRE(rig.submit(frames[0], session, 2).ok());
  REQUIRE(rig.submit(frames[1], session, 2).ok());
  const auto refused = rig.submit(frames[2], session, 2);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kResourceExhausted);
  CHECK(session->stats().frames() == 3);
  CHECK(session->stats().missed() == 1);
  (void)rig.scheduler.next(0, 0);
  CHECK(rig.submit(frames[2], session, 2).ok());
}

TEST_CASE("what became of the last frames can be asked for, from where the previous answer ended") {
  Rig rig;
  const auto session = rig.open(with_budget(200'000));
  TestFrame frame;
  REQUIRE(rig.submit(frame, session, 1).ok());
  TestFrame refused;
  REQUIRE_FALSE(rig.submit(refused, session, 1).ok());
  const Job job = rig.scheduler.next(0, 0);
  frame.answer.level = job.level;
  rig.scheduler.finished(*session, 0, frame, frame.arrival_us + 3'000, frame.arrival_us + 300'000);

  const RecentFrames all = session->recent_frames(0);
  CHECK(all.next == 2);
  REQUIRE(all.frames.size() == 2);
  using Outcome = FrameRecord::Outcome;
  CHECK(all.frames[0].outcome == Outcome::kDropped);
  CHECK(all.frames[0].arrival_us == refused.arrival_us);
  CHECK(all.frames[1].outcome == Outcome::kLate);
  CHECK(all.frames[1].queue_us == 3'000);
  CHECK(all.frames[1].service_us == 297'000);
  CHECK(all.frames[1].level == 1);
  CHECK(session->recent_frames(2).frames.empty());
  CHECK(session->recent_frames(99).frames.empty());

  session->count_refused(FrameLog::kKept + 1);
  const RecentFrames kept = session->recent_frames(2);
  CHECK(kept.next == FrameLog::kKept + 3);
  CHECK(kept.frames.size() == FrameLog::kKept);  // one is lost, and the two numbers tell
}

TEST_CASE("closing hands the waiting frames back, and a frame still running is counted for nobody") {
  Rig rig;
  const auto session = rig.open({});
  TestFrame running;
  TestFrame waiting;
  REQUIRE(rig.submit(running, session).ok());
  REQUIRE(rig.submit(waiting, session).ok());
  REQUIRE(rig.scheduler.next(0, 0).frame == &running);
  REQUIRE(session->close());
  CHECK(rig.scheduler.close(*session) == std::vector<Frame*>{&waiting});
  const auto heir = rig.open({});  // takes over the place in the policy
  CHECK(heir->policy_id() == session->policy_id());
  running.answer.inference_us = 1;
  rig.scheduler.finished(*session, 0, running, 0, 1);
  CHECK(heir->stats().frames() == 0);
  TestFrame late;
  CHECK(rig.submit(late, session).error().code == ErrorCode::kCancelled);
}

TEST_CASE("preparation is expected to take as long a pixel in frames of another size") {
  PreparationTime time;
  const engine::ImageLayout small{engine::PixelFormat::kRgb8, 100, 100, 300};
  const engine::ImageLayout large{engine::PixelFormat::kYuyv, 200, 300, 400};
  CHECK(time.expected_us(small) == 0);
  time.learn(small, 50);
  CHECK(time.expected_us(small) == 50);
  CHECK(time.expected_us(large) == Approx(300));
  time.learn(large, 600);
  CHECK(time.expected_us(large) == 600);
  CHECK(time.expected_us(small) == Approx(100));
}

TEST_CASE(
    "hopeless frames of a dropping session come out as drops, and one slow preparation does not condemn the "
    "rest") {
  Rig rig;
  policy::Contract contract = with_budget(30'000);
  contract.when_late = policy::WhenLate::kDrop;
  const auto session = rig.open(contract);
  session->prepare.learn({}, 60'000);  // a preemption
  int runs = 0;
  for (int i = 0; i < 20; ++i) {
    TestFrame frame;
    REQUIRE(rig.submit(frame, session).ok());
    const Job job = rig.scheduler.next(0, 0);
    if (job.kind != Job::Kind::kRun) continue;
    ++runs;
    frame.answer.level = job.level;
    frame.answer.preprocess_us = 500;
    frame.answer.inference_us = 2'000;
    rig.scheduler.finished(*session, 0, frame, frame.arrival_us, frame.arrival_us + 2'500);
  }
  CHECK(runs > 5);
}

TEST_CASE("idle work runs only where no frame waits, and stop ends everything") {
  Rig rig;
  const auto session = rig.open({});
  bool ran = false;
  rig.scheduler.when_idle(0, [&] { ran = true; });
  TestFrame frame;
  REQUIRE(rig.submit(frame, session).ok());
  CHECK(rig.scheduler.next(0, 0).kind == Job::Kind::kRun);
  const Job idle = rig.scheduler.next(0, 0);
  REQUIRE(idle.kind == Job::Kind::kIdle);
  REQUIRE(idle.task);
  idle.task();
  CHECK(ran);
  TestFrame left;
  REQUIRE(rig.submit(left, session).ok());
  rig.scheduler.stop();
  CHECK(rig.scheduler.next(0, 0).kind == Job::Kind::kStop);
  CHECK(rig.scheduler.take_back() == std::vector<Frame*>{&left});
}

TEST_CASE("urgent work goes before waiting frames, and is dropped unrun once all ends") {
  Rig rig;
  const auto session = rig.open({});
  TestFrame frame;
  REQUIRE(rig.submit(frame, session).ok());
  bool ran = false;
  rig.scheduler.soon(0, [&] { ran = true; });
  const Job urgent = rig.scheduler.next(0, 0);
  REQUIRE(urgent.kind == Job::Kind::kIdle);
  REQUIRE(urgent.task);
  urgent.task();
  CHECK(ran);
  CHECK(rig.scheduler.next(0, 0).frame == &frame);
  const auto held = std::make_shared<int>();
  rig.scheduler.soon(0, [held] {});
  CHECK(held.use_count() == 2);
  rig.scheduler.stop();
  CHECK(held.use_count() == 1);
  rig.scheduler.soon(0, [held] {});
  CHECK(held.use_count() == 1);
}

TEST_CASE("a burst of a session that states no period neither delays nor lowers nor keeps out the others") {
  Rig rig;
  const auto careless = rig.open(with_budget(40'000));
  policy::Contract camera_contract = with_budget(40'000);
  camera_contract.period_us = 40'000;
  const auto camera = rig.open(camera_contract);
  TestFrame burst[6];
  for (TestFrame& frame : burst) REQUIRE(rig.submit(frame, careless).ok());
  TestFrame picture;
  REQUIRE(rig.submit(picture, camera).ok());
  CHECK(rig.scheduler.next(0, 0).frame ==
        &burst[0]);  // its one frame in the foreground has the earlier deadline
  CHECK(rig.scheduler.next(0, 0).frame == &picture);
  const std::uint32_t before = camera->level();
  std::int64_t now = now_us();
  for (int i = 0; i < 50; ++i) (void)rig.scheduler.plan(now += 100'000);
  CHECK(camera->level() == before);
  CHECK(rig.scheduler.open(camera_contract, two_levels()).ok());
}

TEST_CASE(
    "an idle lane hears the bells of its sessions and takes the frame that one brings, as long as it is to") {
  constexpr std::int64_t kLongUs = 10'000'000;  // who waits so long has heard nothing
  Rig rig;
  const auto session = rig.open({});
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  const UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  struct Listener final : BellListener {
    Rig& rig;
    const std::shared_ptr<Session>& session;
    TestFrame frame;
    std::vector<std::uint64_t> heard;
    Listener(Rig& its_rig, const std::shared_ptr<Session>& its_session)
        : rig(its_rig), session(its_session) {}
    void rung(std::uint64_t id) override {
      heard.push_back(id);
      if (heard.size() == 1) CHECK(rig.submit(frame, session).ok());
    }
  } listener(rig, session);
  const auto ring = [&] { REQUIRE(send(theirs.get(), "", 1, MSG_DONTWAIT) == 1); };
  rig.scheduler.set_bell_listener(&listener);
  rig.scheduler.watch_bell(*session, ours.get(), 7);
  ring();
  const Job job = rig.scheduler.next(0, kLongUs);
  CHECK(job.frame == &listener.frame);
  CHECK(listener.heard == std::vector<std::uint64_t>{7});

  rig.scheduler.unwatch_bell(ours.get());
  ring();
  CHECK(rig.scheduler.next(0, 1000).kind == Job::Kind::kIdle);
  rig.scheduler.set_bell_listener(nullptr);
  rig.scheduler.watch_bell(*session, ours.get(), 8);
  ring();
  CHECK(rig.scheduler.next(0, 1000).kind == Job::Kind::kIdle);
  CHECK(listener.heard.size() == 1);
}

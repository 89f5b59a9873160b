// SPDX-License-Identifier: Apache-2.0
// Wiring only: options, rooms, signals, ordered shutdown.
#include <spdlog/spdlog.h>

#include <cstdio>
#include <iostream>
#include <mutex>

#include "daemon/bus/service.hpp"
#include "daemon/config/service.hpp"
#include "daemon/control/log_level.hpp"
#include "daemon/control/runtime.hpp"
#include "daemon/host/notify.hpp"
#include "daemon/host/signals.hpp"
#include "daemon/metrics/server.hpp"
#include "daemon/one_shot.hpp"
#include "daemon/options.hpp"
#include "daemon/stream/server.hpp"

namespace {

using namespace dofa;

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr std::int64_t kLoadPatienceS = 60;  // for one family's weights and first look, besides its dry run

Result<config::ServiceOptions> read_options(const CommandLine& line) {
  auto options = config::read_service(line.config);
  if (!options && options.error().code == ErrorCode::kNotFound && !line.config_given)
    return config::ServiceOptions{};
  return options;
}

/// Nothing where none are wanted, or where they cannot be had: frames are worth more than figures about them.
std::unique_ptr<metrics::Server> start_metrics(const control::Runtime& runtime, const std::string& listen) {
  if (listen.empty()) return nullptr;
  auto server = metrics::Server::start(runtime, listen, DOFA_VERSION);
  if (!server) spdlog::warn("{}, serving without metrics", server.error().message);
  return server ? std::move(*server) : nullptr;
}

int serve(const CommandLine& line, config::ServiceOptions options) {
  host::Signals signals;
  const auto verify = [timeout = options.families.verify_timeout_s](const std::string& directory) {
    return verify_in_child(directory, timeout);
  };
  const auto gpus = options.engine.gpus ? engine::find_gpus() : std::vector<engine::Gpu>{};
  control::Runtime runtime(options, {verify, line.root, DOFA_VERSION, gpus, [&] { signals.nudge(); }});
  runtime.load_configured_families([&](const std::string& name) {
    host::notify_start("loading " + name, options.families.verify_timeout_s + kLoadPatienceS);
  });
  std::mutex reloading;
  const auto reload = [&]() -> Result<void> {
    const std::lock_guard lock(reloading);
    const auto wanted = read_options(line);
    if (!wanted) {
      spdlog::error("reload refused, the old configuration stays: {}", wanted.error().message);
      return wanted.error();
    }
    for (const std::string& key : runtime.reconfigure(*wanted))
      spdlog::warn("{} takes effect at the next start", key);
    if (line.log_level.empty()) (void)control::set_log_level(wanted->log.level);
    spdlog::info("configuration reloaded");
    return {};
  };
  stream::Server streams(runtime);
  bus::Service service(runtime, streams, {line.bus, DOFA_VERSION, reload, [&] { signals.request_stop(); }});
  const auto metrics = start_metrics(runtime, options.metrics.listen);
  host::notify("READY=1\nSTATUS=serving");
  spdlog::info("dofad {} serves on the {} bus", DOFA_VERSION, line.bus);

  const std::int64_t feed_period_us = host::watchdog_interval_us().value_or(0) / 4;
  std::int64_t fed_us = 0;
  while (true) {
    const auto signal = signals.wait(static_cast<int>(options.control.tick_ms));
    if (signal == host::Signal::kStop) break;
    if (signal == host::Signal::kReload) (void)reload();
    runtime.tick(control::now_us());
    service.collect();
    const std::int64_t now = control::now_us();
    if (feed_period_us > 0 && now - fed_us >= feed_period_us && runtime.healthy(now)) {
      host::notify("WATCHDOG=1");
      fed_us = now;
    }
  }
  host::notify("STOPPING=1");
  service.announce_stopping();
  runtime.shut_down();
  service.collect();
  spdlog::info("dofad stops");
  return signals.stop_was_requested() ? kFailed : 0;
}

}  // namespace

int main(int argc, char** argv) try {
  const auto line = parse_command_line(argc, argv);
  if (!line) {
    std::cerr << "dofad: " << line.error().message << "; see dofad --help\n";
    return kUsage;
  }
  if (line->action == Action::kHelp) return std::puts(usage().c_str()) < 0;
  if (line->action == Action::kVersion) return std::puts(DOFA_VERSION) < 0;
  if (line->action == Action::kVerifyFamily) return verify_family(line->argument);
  if (line->action == Action::kParseTegrastats) return parse_tegrastats(line->argument);
  const auto options = read_options(*line);
  if (!options) {
    std::cerr << "dofad: " << options.error().message << "\n";
    return kUsage;
  }
  if (line->action == Action::kCheckConfig) return 0;
  control::set_up_log();
  if (auto set = control::set_log_level(line->log_level.empty() ? options->log.level : line->log_level);
      !set) {
    std::cerr << "dofad: " << set.error().message << "\n";
    return kUsage;
  }
  return serve(*line, *options);
} catch (const std::exception& fault) {
  spdlog::critical("dofad cannot go on: {}", fault.what());
  return kFailed;
}

// SPDX-License-Identifier: Apache-2.0
// monitor: events as they come, on the client's thread; the processors' readings and the end of it all, on
// ours.
#include <cmath>
#include <ctime>

#include "client/ctl/contract_text.hpp"
#include "client/ctl/ending.hpp"
#include "client/ctl/present.hpp"
#include "client/ctl/verbs.hpp"

namespace dofa::ctl {

namespace {

using Kind = client::Event::Kind;
constexpr double kShortestInterval = 0.05;  // dofad samples no faster
constexpr double kLongestInterval = 86'400;

constexpr std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::kServiceAppeared:
      return "service-appeared";
    case Kind::kServiceVanished:
      return "service-vanished";
    case Kind::kServiceChanged:
      return "service-changed";
    case Kind::kFamilyAdded:
      return "family-added";
    case Kind::kFamilyRemoved:
      return "family-removed";
    case Kind::kFamilyChanged:
      return "family-changed";
    case Kind::kSessionOpened:
      return "session-opened";
    case Kind::kSessionRemoved:
      return "session-removed";
    case Kind::kSessionChanged:
      return "session-changed";
    case Kind::kSessionClosed:
      return "session-closed";
    case Kind::kSubnetChanged:
      return "subnet-changed";
    case Kind::kContractUnmet:
      return "contract-unmet";
  }
  return "unknown";
}

/// Microseconds since 1970, and the same as the local time of day.
struct Now {
  std::int64_t time_us;
  std::string clock;
};
Now now() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  std::tm local{};
  ::localtime_r(&time.tv_sec, &local);
  char text[32];
  std::snprintf(text, sizeof text, "%02d:%02d:%02d.%03ld", local.tm_hour, local.tm_min, local.tm_sec,
                time.tv_nsec / 1'000'000);
  return {.time_us = std::int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1'000, .clock = text};
}

json::Writer start_line(std::string_view event) {
  json::Writer writer;
  writer.begin_object().member("schema", 1).member("time_us", now().time_us).member("event", event);
  return writer;
}

std::string json_line(const client::Event& event) {
  json::Writer writer = start_line(name_of(event.kind));
  if (!event.session.empty()) writer.member("session", event.session);
  if (!event.application.empty()) writer.member("application", event.application);
  if (!event.family.empty()) writer.member("family", event.family);
  if (event.kind == Kind::kSubnetChanged) {
    const auto& change = event.subnet_change;
    writer.member("from", change.from)
        .member("to", change.to)
        .member("processor", change.processor)
        .member("reason", change.reason);
  }
  if (!event.reason.empty()) writer.member("reason", event.reason);
  if (event.kind == Kind::kContractUnmet) {
    writer.key("nearest");
    write_json(writer, event.nearest);
  }
  if (!event.changes.empty()) {
    writer.key("changes").begin_object();
    for (const auto& [property, value] : event.changes) writer.member(property, value);
    writer.end_object();
  }
  return writer.end_object().text() + "\n";
}

std::string text_line(const client::Event& event) {
  std::string text = now().clock + "  " + std::string(name_of(event.kind));
  const auto add = [&](std::string_view title, const std::string& value) {
    if (!value.empty()) text += "  " + std::string(title) + value;
  };
  add("session ", event.session);
  add("application ", event.application);
  add("family ", event.family);
  if (event.kind == Kind::kSubnetChanged) {
    const auto& change = event.subnet_change;
    add("", change.from + " to " + change.to + " on " + change.processor + ": " + change.reason);
  }
  add("", event.reason);
  if (event.kind == Kind::kContractUnmet) add("nearest: ", to_text(event.nearest));
  for (const auto& [property, value] : event.changes) add("", property + "=" + value);
  return printable(text) + "\n";
}

std::string processors_json(const std::vector<client::Processor>& processors) {
  json::Writer writer = start_line("processors");
  writer.key("processors");
  write_json(writer, processors);
  return writer.end_object().text() + "\n";
}

std::string processors_text(const std::vector<client::Processor>& processors) {
  std::string text = now().clock + "  processors";
  for (const auto& one : processors) {
    text += "  " + one.name + ":";
    if (one.load) text += " load " + percent(*one.load);
    if (one.others_load) text += " others " + percent(*one.others_load);
    if (one.slowdown) text += " slowdown " + fixed(*one.slowdown, 2);
    if (one.queue) text += " queue " + std::to_string(*one.queue);
    if (one.temperature_celsius) text += " " + fixed(*one.temperature_celsius, 1) + " °C";
  }
  return printable(text) + "\n";
}

}  // namespace

int run_monitor(const Context& context) {
  const auto interval = context.line.number("--interval", kShortestInterval, kLongestInterval);
  const Ending ending;
  const auto client = context.connect();
  const auto watch = client.watch([&](const client::Event& event) {
    try {
      print(context.json ? json_line(event) : text_line(event));
    } catch (...) {
      ending.wake();
      throw;
    }
  });
  const int pause_ms = interval ? static_cast<int>(std::lround(*interval * 1000)) : -1;
  while (!ending.wait(pause_ms)) {
    try {
      const auto processors = client.service().processors;
      print(context.json ? processors_json(processors) : processors_text(processors));
    } catch (const client::Error&) {
      // The service is away; service-vanished has said so, and service-appeared will say when it is back.
    }
  }
  return kExitOk;
}

}  // namespace dofa::ctl

// SPDX-License-Identifier: Apache-2.0
#include "client/recording/lines.hpp"

#include "client/ctl/contract_text.hpp"
#include "client/ctl/present.hpp"

namespace dofa::recording {

namespace {

json::Writer begin(const char* type, std::int64_t t_us) {
  json::Writer writer;
  writer.begin_object().member("type", type).member("t_us", t_us);
  return writer;
}

std::string end(json::Writer& writer) {
  return writer.end_object().text() + "\n";
}

}  // namespace

const char* name_of(client::FrameRecord::Outcome outcome) {
  using Outcome = client::FrameRecord::Outcome;
  if (outcome == Outcome::kInTime) return "in-time";
  return outcome == Outcome::kLate ? "late" : "dropped";
}

std::string start_line(std::int64_t time_us, const std::string& service_version, std::int64_t interval_us) {
  json::Writer writer;
  writer.begin_object()
      .member("schema", kSchema)
      .member("type", "start")
      .member("t_us", 0)
      .member("time_us", time_us)
      .member("service_version", service_version)
      .member("interval_us", interval_us);
  return end(writer);
}

std::string family_line(std::int64_t t_us, const client::Family& family) {
  auto writer = begin("family", t_us);
  writer.member("family", family.name).key("subnets");
  ctl::write_json(writer, family.subnets);
  return end(writer);
}

std::string session_line(std::int64_t t_us, const client::SessionInfo& session) {
  auto writer = begin("session", t_us);
  writer.member("session", session.id)
      .member("application", session.application)
      .member("family", session.family)
      .member("level", session.level)
      .member("subnet", session.subnet)
      .member("processor", session.processor)
      .key("contract");
  ctl::write_json(writer, session.contract);
  return end(writer);
}

std::string frame_line(const std::string& session, const Frame& frame) {
  auto writer = begin("frame", frame.t_us);
  writer.member("session", session).member("outcome", name_of(frame.outcome));
  if (frame.answered())
    writer.member("level", frame.level)
        .member("queue_us", frame.queue_us)
        .member("service_us", frame.service_us);
  return end(writer);
}

std::string processors_line(std::int64_t t_us, const std::vector<client::Processor>& processors) {
  auto writer = begin("processors", t_us);
  writer.key("processors");
  ctl::write_json(writer, processors);
  return end(writer);
}

std::string lost_line(std::int64_t t_us, const std::string& session, std::uint64_t frames) {
  auto writer = begin("lost", t_us);
  writer.member("session", session).member("frames", frames);
  return end(writer);
}

std::string event_line(std::int64_t t_us, const client::Event& event) {
  using Kind = client::Event::Kind;
  switch (event.kind) {
    case Kind::kSubnetChanged: {
      auto writer = begin("switch", t_us);
      writer.member("session", event.session)
          .member("from", event.subnet_change.from)
          .member("to", event.subnet_change.to)
          .member("processor", event.subnet_change.processor)
          .member("reason", event.subnet_change.reason);
      return end(writer);
    }
    case Kind::kContractUnmet: {
      auto writer = begin("unmet", t_us);
      writer.member("session", event.session).member("reason", event.reason).key("nearest");
      ctl::write_json(writer, event.nearest);
      return end(writer);
    }
    case Kind::kSessionClosed: {
      auto writer = begin("closed", t_us);
      writer.member("session", event.session).member("reason", event.reason);
      return end(writer);
    }
    case Kind::kServiceVanished:
    case Kind::kServiceAppeared: {
      auto writer = begin("service", t_us);
      writer.member("present", event.kind == Kind::kServiceAppeared);
      return end(writer);
    }
    default:
      return "";
  }
}

std::string end_line(std::int64_t t_us) {
  auto writer = begin("end", t_us);
  return end(writer);
}

}  // namespace dofa::recording

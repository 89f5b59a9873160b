// SPDX-License-Identifier: Apache-2.0
// sessions and set.
#include "client/ctl/contract_text.hpp"
#include "client/ctl/present.hpp"
#include "client/ctl/verbs.hpp"

namespace dofa::ctl {

namespace {

void write_json(json::Writer& writer, const client::SessionInfo& session) {
  writer.begin_object()
      .member("id", session.id)
      .member("application", session.application)
      .member("owner", session.owner)
      .member("family", session.family)
      .member("subnet", session.subnet)
      .member("level", session.level)
      .member("processor", session.processor)
      .member("accuracy", session.accuracy)
      .member("expected_latency_us", session.expected_latency_us)
      .member("frames", session.frames)
      .member("missed_deadlines", session.missed_deadlines)
      .member("dropped", session.dropped)
      .member("attainment", session.attainment)
      .key("contract");
  ctl::write_json(writer, session.contract);
  writer.key("statistics").begin_object();
  const auto& statistics = session.statistics;
  optional_member(writer, "mean_accuracy", statistics.mean_accuracy);
  optional_member(writer, "dips", statistics.dips);
  optional_member(writer, "switches", statistics.switches);
  optional_member(writer, "switches_last_minute", statistics.switches_last_minute);
  optional_member(writer, "queue_us_p50", statistics.queue_us_p50);
  optional_member(writer, "queue_us_p95", statistics.queue_us_p95);
  optional_member(writer, "queue_us_p99", statistics.queue_us_p99);
  optional_member(writer, "service_us_p50", statistics.service_us_p50);
  optional_member(writer, "service_us_p95", statistics.service_us_p95);
  optional_member(writer, "service_us_p99", statistics.service_us_p99);
  writer.end_object().end_object();
}

}  // namespace

int run_sessions(const Context& context) {
  const auto sessions = context.connect().sessions();
  if (context.json) {
    json::Writer writer;
    writer.begin_object().member("schema", 1).key("sessions").begin_array();
    for (const auto& session : sessions) write_json(writer, session);
    print(writer.end_array().end_object());
    return kExitOk;
  }
  constexpr auto kLeft = Table::Align::kLeft;
  constexpr auto kRight = Table::Align::kRight;
  Table table({{"SESSION"},
               {"APPLICATION", kLeft, true},
               {"FAMILY"},
               {"LEVEL", kRight},
               {"SUBNET", kLeft, true},
               {"ON"},
               {"TOP-1", kRight},
               {"EXPECTED", kRight},
               {"FRAMES", kRight},
               {"MISSED", kRight},
               {"IN TIME", kRight},
               {"CONTRACT", kLeft, true}});
  for (const auto& one : sessions) {
    table.add({one.id, one.application, one.family, std::to_string(one.level), one.subnet, one.processor,
               percent(one.accuracy),
               one.expected_latency_us == 0 ? "" : milliseconds(one.expected_latency_us),
               std::to_string(one.frames), std::to_string(one.missed_deadlines), percent(one.attainment),
               to_text(one.contract)});
  }
  print(table.render(context.style()));
  return kExitOk;
}

int run_set(const Context& context) {
  const auto& words = context.line.arguments();
  client::Contract changes;
  for (std::size_t i = 1; i < words.size(); ++i) change_from_text(changes, words[i]);
  const auto client = context.connect();
  auto session = client.session(words[0]);
  session.set_contract(changes);
  if (context.json) {
    json::Writer writer;
    writer.begin_object().member("schema", 1).member("session", session.id()).key("contract");
    ctl::write_json(writer, session.info().contract);
    print(writer.end_object());
  }
  return kExitOk;
}

}  // namespace dofa::ctl

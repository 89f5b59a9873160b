// SPDX-License-Identifier: Apache-2.0
// bench-client: as many applications at once as asked for, and what each of them got.
#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include "client/ctl/contract_options.hpp"
#include "client/ctl/contract_text.hpp"
#include "client/ctl/ending.hpp"
#include "client/ctl/load.hpp"
#include "client/ctl/present.hpp"
#include "client/ctl/verbs.hpp"

namespace dofa::ctl {

namespace {

constexpr std::uint32_t kLargestSide = 16'384;

/// "640x480".
void read_size(const std::string& text, LoadPlan& plan) {
  const auto cross = text.find('x');
  const auto width = parse_integer(text.substr(0, cross));
  const auto height = cross == text.npos ? std::nullopt : parse_integer(text.substr(cross + 1));
  if (!width || !height || *width < 1 || *height < 1 || *width > kLargestSide || *height > kLargestSide)
    throw UsageError("option '--size' wants WIDTHxHEIGHT in pixels, not '" + text + "'");
  plan.width = static_cast<std::uint32_t>(*width);
  plan.height = static_cast<std::uint32_t>(*height);
}

LoadPlan plan_of(const Context& context) {
  LoadPlan plan{.connect = context.connect_options, .family = {}, .contract = contract_of(context.line)};
  plan.rate_hz = context.line.number("--rate", 0.1, 1000).value_or(plan.rate_hz);
  if (const auto text = context.line.text("--format")) {
    const auto format = parse_format(*text);
    if (!format) throw UsageError("option '--format' knows no '" + *text + "'");
    plan.format = *format;
  }
  if (const auto text = context.line.text("--size")) read_size(*text, plan);
  plan.duration = std::chrono::duration<double>(context.line.number("--seconds", 0.1, 86'400).value_or(10));
  if (!plan.contract.period_us) plan.contract.period_us = static_cast<std::uint64_t>(1e6 / plan.rate_hz);
  return plan;
}

void write_json(json::Writer& writer, const LoadCount& count) {
  writer.member("submitted", count.submitted)
      .member("answered", count.answered)
      .member("late", count.late)
      .member("failed", count.failed)
      .member("given_up", count.given_up)
      .member("lost", count.lost)
      .member("attainment", count.attainment())
      .member("level_mean", count.level());
  for (const auto& [name, values] :
       {std::pair{"latency_us_", &count.latency_us}, std::pair{"service_us_", &count.service_us}}) {
    optional_member(writer, std::string(name) + "p50", quantile(*values, 0.50));
    optional_member(writer, std::string(name) + "p95", quantile(*values, 0.95));
    optional_member(writer, std::string(name) + "p99", quantile(*values, 0.99));
  }
  if (!count.last_error.empty()) writer.member("error", count.last_error);
}

void print_json(const LoadPlan& plan, const std::string& format, const std::vector<LoadCount>& sessions,
                const LoadCount& total, double seconds) {
  json::Writer writer;
  writer.begin_object()
      .member("schema", 1)
      .member("family", plan.family)
      .member("rate_hz", plan.rate_hz)
      .member("format", format)
      .member("width", plan.width)
      .member("height", plan.height)
      .member("seconds", seconds)
      .key("contract");
  ctl::write_json(writer, plan.contract);
  writer.key("sessions").begin_array();
  for (const auto& session : sessions) {
    writer.begin_object();
    write_json(writer, session);
    writer.end_object();
  }
  writer.end_array().key("total").begin_object();
  write_json(writer, total);
  print(writer.end_object().end_object());
}

void print_table(const Context& context, const std::vector<LoadCount>& sessions, const LoadCount& total) {
  using Align = Table::Align;
  Table table({{"SESSION"},
               {"ANSWERED", Align::kRight},
               {"IN TIME", Align::kRight},
               {"P50", Align::kRight},
               {"P95", Align::kRight},
               {"P99", Align::kRight},
               {"LEVEL", Align::kRight},
               {"LATE", Align::kRight},
               {"FAILED", Align::kRight},
               {"GIVEN UP", Align::kRight},
               {"LOST", Align::kRight}});
  const auto add = [&](const std::string& name, const LoadCount& count) {
    const auto time = [&](double share) {
      return cell(quantile(count.latency_us, share),
                  [](double us) { return milliseconds(static_cast<std::uint64_t>(us)); });
    };
    table.add({name, std::to_string(count.answered), percent(count.attainment()), time(0.50), time(0.95),
               time(0.99), count.answered == 0 ? "" : fixed(count.level(), 1), std::to_string(count.late),
               std::to_string(count.failed), std::to_string(count.given_up), std::to_string(count.lost)});
  };
  for (std::size_t i = 0; i < sessions.size(); ++i) add(std::to_string(i + 1), sessions[i]);
  add("all", total);
  print(table.render(context.style()));
  if (!total.last_error.empty()) complain("a frame failed: " + total.last_error);
}

}  // namespace

int run_bench_client(const Context& context) {
  const auto count = context.line.integer("--sessions", 1, 256).value_or(1);
  LoadPlan plan = plan_of(context);
  const Ending ending;
  plan.family = family_of(context.connect(), context.line).name;
  std::vector<std::unique_ptr<Load>> loads;
  for (std::uint64_t i = 0; i < count; ++i) loads.push_back(std::make_unique<Load>(plan));

  std::atomic<bool> stop = false;
  std::vector<std::future<LoadCount>> running;
  const auto start = std::chrono::steady_clock::now();
  const auto since_start = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  for (std::uint64_t i = 0; i < count; ++i) {
    const double offset = static_cast<double>(i) / static_cast<double>(count);
    running.push_back(std::async(std::launch::async, [&, i, offset] { return loads[i]->run(offset, stop); }));
  }
  while (since_start() < plan.duration.count() && !ending.wait(100)) continue;
  stop = since_start() < plan.duration.count();  // interrupted

  std::vector<LoadCount> sessions;
  LoadCount total;
  try {
    for (auto& one : running) {
      sessions.push_back(one.get());
      total.add(sessions.back());
    }
  } catch (...) {
    stop = true;  // or the others would be waited for until their time is over
    throw;
  }
  if (context.json) {
    print_json(plan, context.line.text("--format").value_or("rgb8"), sessions, total, since_start());
  } else {
    print_table(context, sessions, total);
  }
  return total.failed == 0 && total.lost == 0 ? kExitOk : kExitFailed;
}

}  // namespace dofa::ctl

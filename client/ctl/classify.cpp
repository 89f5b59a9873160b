// SPDX-License-Identifier: Apache-2.0
// classify: each image through one session of our own.
#include <chrono>

#include "client/ctl/contract_options.hpp"
#include "client/ctl/image.hpp"
#include "client/ctl/present.hpp"
#include "client/ctl/verbs.hpp"

namespace dofa::ctl {

namespace {

/// The answer to one image, or what went wrong with it.
struct Result {
  std::string file;
  Image image = {};
  std::optional<client::Answer> answer = {};
  std::uint64_t round_trip_us = 0;
  std::string error = {};
  std::string message = {};
};

Result classify(client::Session& session, const std::string& file, std::uint32_t top) {
  Result result{.file = file};
  try {
    result.image = read_image(file);
    const auto start = std::chrono::steady_clock::now();
    result.answer = session.infer(result.image.frame(), {.top_k = top});
    result.round_trip_us = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start)
            .count());
  } catch (const client::Error& error) {
    if (error.code() == client::ErrorCode::kUnreachable) throw;  // nor would the next image fare better
    result.error = client::name_of(error.code());
    result.message = error.what();
  } catch (const std::runtime_error& error) {
    result.error = "InvalidImage";
    result.message = error.what();
  }
  result.image.pixels = {};
  return result;
}

std::string label_of(const client::Family& family, std::uint32_t class_index) {
  return class_index < family.labels.size() ? family.labels[class_index]
                                            : "class " + std::to_string(class_index);
}

void write_json(json::Writer& writer, const Result& result, const client::Family& family) {
  writer.begin_object().member("file", result.file);
  if (!result.answer) {
    writer.key("error")
        .begin_object()
        .member("name", result.error)
        .member("message", result.message)
        .end_object();
    writer.end_object();
    return;
  }
  const auto& answer = *result.answer;
  writer.member("width", result.image.width).member("height", result.image.height).key("top").begin_array();
  for (const auto& score : answer.top) {
    writer.begin_object()
        .member("class", score.class_index)
        .member("label", label_of(family, score.class_index))
        .member("probability", score.probability)
        .end_object();
  }
  writer.end_array()
      .member("level", answer.level)
      .member("subnet", answer.subnet)
      .member("processor", answer.processor)
      .member("late", answer.late)
      .member("queue_us", answer.queue_us)
      .member("preprocess_us", answer.preprocess_us)
      .member("inference_us", answer.inference_us)
      .member("round_trip_us", result.round_trip_us)
      .end_object();
}

/// One line a class; what belongs to the image stands on its first.
Table results_table(const std::vector<Result>& results, const client::Family& family) {
  constexpr auto kRight = Table::Align::kRight;
  Table table({{"IMAGE", Table::Align::kLeft, true},
               {"LABEL", Table::Align::kLeft, true},
               {"PROBABILITY", kRight},
               {"LEVEL", kRight},
               {"SUBNET"},
               {"ON"},
               {"LATENCY", kRight}});
  for (const auto& result : results) {
    if (!result.answer) continue;
    const auto& answer = *result.answer;
    bool first = true;
    for (const auto& score : answer.top) {
      std::vector<std::string> cells{first ? result.file : "", label_of(family, score.class_index),
                                     percent(score.probability)};
      if (first)
        cells.insert(cells.end(),
                     {std::to_string(answer.level), answer.subnet, answer.processor,
                      milliseconds(answer.queue_us + answer.preprocess_us + answer.inference_us)});
      table.add(std::move(cells));
      first = false;
    }
  }
  return table;
}

}  // namespace

int run_classify(const Context& context) {
  const auto top = static_cast<std::uint32_t>(context.line.integer("--top", 1, 100).value_or(5));
  const auto contract = contract_of(context.line);
  auto client = context.connect();
  const auto family = family_of(client, context.line);
  auto session = client.open_session("dofactl", family.name, contract);

  std::vector<Result> results;
  bool all_well = true;
  for (const auto& file : context.line.arguments()) {
    results.push_back(classify(session, file, top));
    if (results.back().answer) continue;
    all_well = false;
    complain(file + ": " + results.back().message);
  }

  if (context.json) {
    json::Writer writer;
    writer.begin_object().member("schema", 1).member("family", family.name).key("images").begin_array();
    for (const auto& result : results) write_json(writer, result, family);
    print(writer.end_array().end_object());
  } else if (const auto table = results_table(results, family); !table.empty()) {
    print(table.render(context.style()));
  }
  return all_well ? kExitOk : kExitFailed;
}

}  // namespace dofa::ctl

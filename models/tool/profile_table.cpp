// SPDX-License-Identifier: Apache-2.0
// `dofa-model profile SUPERNET --table FILE`.
#include "models/tool/profile_table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "models/tool/build_table.hpp"
#include "models/tool/search_source.hpp"
#include "proto/json_writer.hpp"

namespace dofa::tool {
namespace {

std::size_t layer_count(const search::LatencyTable& table) {
  std::size_t count = 0;
  for (const auto& [resolution, layers] : table.layers) count += layers.size();
  return count;
}

template <class Numbers>
void add_list(json::Writer& writer, const char* name, const Numbers& numbers) {
  writer.key(name).begin_array();
  for (const auto number : numbers) writer.value(number);
  writer.end_array();
}

std::string to_json(const BuiltTable& built, const std::string& path) {
  const search::Correction correction = built.table.correction.value_or(search::Correction{});
  json::Writer writer;
  writer.begin_object().member("schema", 1).member("table", path).member("machine", built.table.machine);
  writer.member("processor", built.table.processor).member("threads", built.table.threads);
  writer.member("layers", layer_count(built.table));
  add_list(writer, "resolutions", built.table.resolutions());
  add_list(writer, "measured", built.measured);
  writer.key("correction").begin_object().member("scale", correction.scale);
  writer.member("offset_us", correction.offset_us).member("block_us", correction.block_us);
  writer.member("networks", correction.networks).member("fit_error", correction.fit_error);
  writer.member("unseen_error", correction.unseen_error).end_object();
  writer.key("unseen").begin_array();
  for (const UnseenNetwork& network : built.unseen) {
    writer.begin_object().member("r", network.candidate.resolution);
    add_list(writer, "ks", network.candidate.architecture.kernel_sizes);
    add_list(writer, "e", network.candidate.architecture.expand_ratios);
    add_list(writer, "d", network.candidate.architecture.depths);
    writer.member("predicted_us", network.predicted_us).member("measured_us", network.measured_us);
    writer.member("error", network.predicted_us / network.measured_us - 1).end_object();
  }
  return writer.end_array().end_object().text();
}

void print(const BuiltTable& built, const std::string& path) {
  const search::Correction correction = built.table.correction.value_or(search::Correction{});
  std::printf("%s: %zu layers at %zu resolutions, %zu of them measured now\n", path.c_str(),
              layer_count(built.table), built.table.layers.size(), built.measured.size());
  std::printf(
      "sub-network = %.3f x layers %+.1f us %+.2f us a block; mean error %.1f %% on the %u it is fitted on, "
      "%.1f %% on others\n",
      correction.scale, correction.offset_us, correction.block_us, 100 * correction.fit_error,
      correction.networks, 100 * correction.unseen_error);
}

}  // namespace

Result<int> profile_table(const Arguments& arguments) {
  auto source = open_source(arguments);
  if (!source) return source.error();
  if (!source->supernet) throw UsageError{"a table is measured with a family's or checkpoint's weights"};
  const std::string path = arguments.required("--table");
  const search::Space space = source->space(resolutions_of(arguments, *source, {}));
  TableSettings settings;
  settings.rounds = static_cast<std::size_t>(arguments.integer("--rounds", 20, 1, 100'000));
  Measurer measurer(std::move(*source->supernet));
  const auto built = build_table(measurer, space, path, settings);
  if (!built) return built.error();
  if (arguments.json())
    std::puts(to_json(*built, path).c_str());
  else
    print(*built, path);
  return kExitOk;
}

}  // namespace dofa::tool

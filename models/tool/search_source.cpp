// SPDX-License-Identifier: Apache-2.0
#include "models/tool/search_source.hpp"

#include <algorithm>
#include <filesystem>

#include "daemon/engine/ofa_family.hpp"

namespace dofa::tool {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLeastSide = 16, kLargestSide = 1024;

Result<SearchSource> from_family(const std::string& path) {
  auto folder = open_family(path);
  if (!folder) return folder.error();
  if (const auto fits = require_supernet(*folder); !fits) return fits.error();
  auto supernet = engine::load_supernet(folder->directory, folder->file);
  if (!supernet) return supernet.error();
  SearchSource source;
  source.file = folder->file;
  source.file.subnets.clear();
  source.outline = search::outline_of(*supernet);
  source.supernet = std::move(*supernet);
  source.family = std::move(*folder);
  return source;
}

Result<SearchSource> from_checkpoint(const std::string& path, const config::OfaSupernet& strides) {
  const auto checkpoint = checkpoint::read_checkpoint(path);
  if (!checkpoint) return checkpoint.error();
  auto tensors = engine::canonical_tensors(*checkpoint);
  if (!tensors) return Error{ErrorCode::kInvalidArgument, path + ": " + tensors.error().message};
  auto supernet = engine::make_supernet(*tensors, strides);
  if (!supernet) return Error{ErrorCode::kInvalidArgument, path + ": " + supernet.error().message};
  SearchSource source;
  source.file.kind = config::FamilyKind::kOfaMobilenetV3;
  source.file.classes = supernet->classes;
  source.file.supernet = strides;
  source.file.supernet.width = supernet->width;
  source.outline = search::outline_of(*supernet);
  source.supernet = std::move(*supernet);
  source.tensors = std::move(*tensors);
  return source;
}

}  // namespace

search::Space SearchSource::space(const std::vector<std::uint32_t>& resolutions) const {
  return supernet ? search::space_of(*supernet, resolutions) : search::published_space(resolutions);
}

Result<SearchSource> open_source(const Arguments& arguments) {
  if (arguments.has("--width")) {
    (void)arguments.positional(0, 0);
    SearchSource source;
    source.outline = search::published_outline(arguments.number("--width", 1, 0.1, 4));
    return source;
  }
  const std::string& path = arguments.positional(1, 1)[0];
  if (fs::is_directory(path) || fs::path(path).filename() == "family.yaml") return from_family(path);
  return from_checkpoint(path, strides_of(arguments));
}

std::vector<std::uint32_t> resolutions_of(const Arguments& arguments, const SearchSource& source,
                                          const std::vector<std::uint32_t>& known) {
  std::vector<std::uint32_t> resolutions;
  for (const std::int64_t side : arguments.integers("--resolutions")) {
    if (side < kLeastSide || side > kLargestSide)
      throw UsageError{"--resolutions takes sides from 16 to 1024, not " + std::to_string(side)};
    resolutions.push_back(static_cast<std::uint32_t>(side));
  }
  if (resolutions.empty() && source.family)
    for (const config::SubnetEntry& entry : source.family->file.subnets)
      resolutions.push_back(entry.resolution);
  if (resolutions.empty()) resolutions = known;
  if (resolutions.empty() && source.outline.stem_stride == 1) return {32};
  if (resolutions.empty()) return {160, 176, 192, 208, 224};  // the sizes that OFA trains at
  return resolutions;
}

}  // namespace dofa::tool

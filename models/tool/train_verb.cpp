// SPDX-License-Identifier: Apache-2.0
#include <ATen/Context.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include "models/tool/family_folder.hpp"
#include "models/tool/training_images.hpp"
#include "models/tool/verb_list.hpp"
#include "models/train/run.hpp"
#include "models/train/validation.hpp"
#include "proto/json_writer.hpp"

namespace dofa::tool {
namespace {

namespace fs = std::filesystem;

constexpr std::array<Option, 34> kOptions{{
    {"--data", "FOLDER",
     "labelled pictures: CIFAR-10 (mosaics or binary files), or a sub-folder a class (needed)"},
    {"-o", "FOLDER", "folder of the new family, e.g. models/NAME (needed)"},
    {"--run", "FOLDER", "where the run keeps its state and log (FOLDER-training beside the family)"},
    {"--resume", "", "go on with an interrupted run"},
    {"--hold-out", "yes|no", "keep 5,000 training pictures for validation (yes)"},
    {"--device", "NAME", "cpu or cuda:0 (cpu)"},
    {"--threads", "N", "CPU threads, each with a slice of the batch (2)"},
    {"--epochs", "N", "times every picture is shown (60)"},
    {"--batch", "N", "pictures a step (128)"},
    {"--learning-rate", "R", "at its highest (0.2)"},
    {"--warmup", "EPOCHS", "of rising learning rate (1)"},
    {"--orthogonal", "R",
     "rate of pointwise convolutions' orthogonal steps, relative to the other; 0 for none (0.1)"},
    {"--weight-decay", "R", "of weights (5e-4)"},
    {"--label-smoothing", "R", "(0.05)"},
    {"--ema", "R", "decay a step of the averaged weights (0.998)"},
    {"--random-subnets", "N", "random sub-networks a step (1)"},
    {"--smallest-every", "N", "the smallest takes part in every N-th step (1)"},
    {"--crop-padding", "PIXELS", "random shift (4)"},
    {"--vary", "", "vary each picture's colours or shape as well (TrivialAugment); for long runs"},
    {"--cutout", "PIXELS", "side of a blanked square, 0 for none (0)"},
    {"--no-flip", "", "do not mirror pictures"},
    {"--no-progressive", "", "train on all input sizes from the beginning"},
    {"--width", "R", "width multiplier (0.5)"},
    {"--ks", "LIST", "kernel sizes to choose from (3,5)"},
    {"-e", "LIST", "expand ratios to choose from (3,4,6)"},
    {"-d", "N", "blocks of a stage at most, 2 to 4 (4)"},
    {"-r", "LIST", "sides of the input to choose from (24,28,32)"},
    {"--stem-stride", "N", "stride of the first convolution (1)"},
    {"--stage-strides", "LIST", "strides of the five stages (2,2,2,1,1)"},
    {"--alone", "FAMILY:LEVEL",
     "train this sub-network only, at its own input size, to compare it with the one that shares its "
     "weights"},
    {"--labels", "FILE", "class names, one a line"},
    {"--seed", "N", "of everything random (1)"},
    {"--validate-every", "EPOCHS", "(1)"},
    {"--json", "", "print the result as JSON"},
}};

std::atomic<bool> stop_asked{false};  // a signal handler can reach nothing else

void ask_to_stop(int) {
  stop_asked = true;
}

template <class Number>
std::vector<Number> choices(const Arguments& arguments, std::string_view option,
                            std::vector<Number> fallback) {
  const auto given = arguments.integers(option);
  if (given.empty()) return fallback;
  std::vector<Number> values;
  for (const std::int64_t value : given)
    values.push_back(static_cast<Number>(std::min<std::int64_t>(value, 255)));
  return values;
}

train::Recipe recipe_of(const Arguments& arguments) {
  train::Recipe recipe;
  train::Space& space = recipe.space;
  space.width = arguments.number("--width", space.width, 0.1, 4);
  space.kernel_sizes = choices(arguments, "--ks", space.kernel_sizes);
  space.expand_ratios = choices(arguments, "-e", space.expand_ratios);
  space.max_depth = static_cast<std::uint8_t>(arguments.integer("-d", space.max_depth, 2, 4));
  space.resolutions = choices(arguments, "-r", space.resolutions);
  std::ranges::sort(space.resolutions);
  space.stem_stride = static_cast<std::uint32_t>(arguments.integer("--stem-stride", space.stem_stride, 1, 2));
  if (const auto strides = arguments.integers("--stage-strides"); !strides.empty()) {
    if (strides.size() != space.stage_strides.size()) throw UsageError{"--stage-strides takes five numbers"};
    for (std::size_t i = 0; i < strides.size(); ++i) {
      if (strides[i] != 1 && strides[i] != 2) throw UsageError{"--stage-strides are 1 or 2"};
      space.stage_strides[i] = static_cast<std::uint8_t>(strides[i]);
    }
  }
  const auto count = [&](std::string_view option, std::uint32_t fallback, std::int64_t low,
                         std::int64_t high) {
    return static_cast<std::uint32_t>(arguments.integer(option, fallback, low, high));
  };
  recipe.epochs = count("--epochs", recipe.epochs, 1, 100'000);
  recipe.batch = count("--batch", recipe.batch, 2, 65'536);
  recipe.random_subnets = count("--random-subnets", recipe.random_subnets, 0, 16);
  recipe.smallest_every = count("--smallest-every", recipe.smallest_every, 1, 1000);
  recipe.learning_rate = arguments.number("--learning-rate", recipe.learning_rate, 1e-6, 1e4);
  recipe.warmup_epochs = arguments.number("--warmup", recipe.warmup_epochs, 0, 1000);
  recipe.orthogonal_rate = arguments.number("--orthogonal", recipe.orthogonal_rate, 0, 100);
  recipe.weight_decay = arguments.number("--weight-decay", recipe.weight_decay, 0, 1);
  recipe.label_smoothing = arguments.number("--label-smoothing", recipe.label_smoothing, 0, 0.9);
  recipe.ema_decay = arguments.number("--ema", recipe.ema_decay, 0, 0.999999);
  recipe.crop_padding = count("--crop-padding", recipe.crop_padding, 0, 64);
  recipe.vary = arguments.has("--vary");
  recipe.cutout = count("--cutout", recipe.cutout, 0, 256);
  recipe.progressive = !arguments.has("--no-progressive");
  recipe.flip = !arguments.has("--no-flip");
  recipe.seed = static_cast<std::uint64_t>(arguments.integer("--seed", 1, 0, INT64_MAX));
  recipe.threads = count("--threads", recipe.threads, 1, 256);
  return recipe;
}

/// The sub-network that --alone names, of a family with the supernet that the other options describe.
Result<config::SubnetEntry> find_alone(const std::string& name, const train::Space& space,
                                       const std::string& output) {
  const std::size_t colon = name.rfind(':');
  if (colon == std::string::npos) throw UsageError{"--alone takes FAMILY:LEVEL"};
  const auto family = open_family(name.substr(0, colon));
  if (!family) return family.error();
  if (const auto fits = require_supernet(*family); !fits) return fits.error();
  if (family->directory == output) throw UsageError{"--alone: -o would write over the family it names"};
  const auto found = find_subnet(*family, name.substr(colon + 1));
  if (!found) return found.error();
  config::OfaSupernet mine = train::strides_of(space);
  mine.weights = family->file.supernet.weights;
  if (mine != family->file.supernet)
    throw UsageError{"--alone: " + family->directory +
                     " has another --width, --stem-stride or --stage-strides"};
  config::SubnetEntry entry;  // its statistics and accuracy are of other weights
  entry.name = family->file.subnets[*found].name;
  entry.resolution = family->file.subnets[*found].resolution;
  entry.architecture = family->file.subnets[*found].architecture;
  return entry;
}

std::string duration(double seconds) {
  char text[32];
  const auto minutes = static_cast<long long>(seconds / 60);
  if (minutes >= 60)
    std::snprintf(text, sizeof text, "%lld h %02lld min", minutes / 60, minutes % 60);
  else
    std::snprintf(text, sizeof text, "%lld min %02lld s", minutes, static_cast<long long>(seconds) % 60);
  return text;
}

void show(const train::RunProgress& progress) {
  std::fprintf(
      stderr,
      "\r\033[Kepoch %llu of %llu, step %llu of %llu: loss %.3f, top-1 %.1f %%, %.0f images/s, %s to go",
      static_cast<unsigned long long>(progress.epoch), static_cast<unsigned long long>(progress.epochs),
      static_cast<unsigned long long>(progress.step), static_cast<unsigned long long>(progress.steps),
      progress.tally.loss / progress.tally.images, 100 * progress.tally.correct / progress.tally.images,
      progress.images_per_second, duration(progress.seconds_left).c_str());
}

/// family.yaml and the averaged weights; sub-networks are added by search or add-subnet, but for one alone.
Result<void> write_family(const Arguments& arguments, const FamilyFolder& folder,
                          const engine::FloatTensors& weights) {
  std::error_code fault;
  fs::create_directories(folder.directory, fault);
  if (const auto labels = arguments.text("--labels"))
    fs::copy_file(*labels, folder.path("labels.txt"), fs::copy_options::overwrite_existing);
  if (const auto written = checkpoint::write_checkpoint(folder.path(folder.file.supernet.weights), weights);
      !written)
    return written.error();
  return save_family(folder);
}

Result<int> run(const Arguments& arguments) {
  (void)arguments.positional(0, 0);
  const std::string data = arguments.required("--data");
  FamilyFolder folder;
  folder.directory = fs::absolute(arguments.required("-o") + "/.").lexically_normal().parent_path().string();
  train::Recipe recipe = recipe_of(arguments);
  const std::string device_name = arguments.text("--device").value_or("cpu");
  if (device_name != "cpu" && !device_name.starts_with("cuda")) throw UsageError{"--device is cpu or cuda:N"};
  if (device_name != "cpu" && !at::hasCUDA())
    return Error{ErrorCode::kNotSupported, "this build's LibTorch knows no CUDA device; --device cpu works"};
  if (const auto labels = arguments.text("--labels"); labels && !fs::exists(*labels))
    return Error{ErrorCode::kNotFound, *labels + ": no such file"};
  const std::string hold_out = arguments.text("--hold-out").value_or("yes");
  if (hold_out != "yes" && hold_out != "no") throw UsageError{"--hold-out is yes or no"};

  if (const auto alone = arguments.text("--alone")) {
    const auto entry = find_alone(*alone, recipe.space, folder.directory);
    if (!entry) return entry.error();
    recipe.alone = {entry->architecture, entry->resolution};
    folder.file.subnets = {*entry};
  }

  const std::uint32_t side = recipe.space.resolutions.back();
  const auto images = read_training_images(data, hold_out == "yes" ? "fit" : "train", side);
  if (!images) return images.error();
  train::Images held_out;
  if (hold_out == "yes") {
    auto read = read_training_images(data, "validation", side);
    if (!read) return read.error();
    held_out = std::move(*read);
  }
  train::measure_colours(*images, recipe.mean, recipe.deviation);
  recipe.space.classes = 1 + *std::ranges::max_element(images->labels);
  if (const auto fits = train::check(recipe); !fits) throw UsageError{fits.error().message};

  train::RunOptions options;
  options.folder = arguments.text("--run").value_or(folder.directory + "-training");
  options.resume = arguments.has("--resume");
  options.validate_every = static_cast<std::uint32_t>(arguments.integer("--validate-every", 1, 1, 100'000));
  options.device = at::Device(device_name);
  options.stop = &stop_asked;
  if (isatty(2) == 1) options.watch = show;
  options.log_line = [](const std::string& line) {
    std::fprintf(stderr, "%s%s\n", isatty(2) == 1 ? "\r\033[K" : "", line.c_str());
  };
  // Activations are megabytes that come and go each step: kept, not handed back to the kernel each time.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  std::signal(SIGINT, ask_to_stop);
  std::signal(SIGTERM, ask_to_stop);

  const auto result = train::run(recipe, *images, held_out, options);
  if (!result) return result.error();
  if (!result->finished) {
    std::fprintf(stderr, "dofa-model: stopped; the same command with --resume goes on\n");
    return kExitFailed;
  }
  folder.file.name = fs::path(folder.directory).filename().string();
  folder.file.kind = config::FamilyKind::kOfaMobilenetV3;
  folder.file.classes = recipe.space.classes;
  folder.file.supernet = train::strides_of(recipe.space);
  folder.file.supernet.weights = "supernet.pt";
  folder.file.preprocessing = train::preprocessing_of(recipe);
  if (arguments.has("--labels")) folder.file.labels = "labels.txt";
  if (const auto written = write_family(arguments, folder, result->weights); !written) return written.error();
  if (arguments.json()) {
    json::Writer writer;
    writer.begin_object()
        .member("schema", 1)
        .member("folder", folder.directory)
        .member("run", options.folder);
    std::puts(writer.member("images", images->size()).end_object().text().c_str());
  } else {
    std::printf("%s: trained; %s\n", folder.directory.c_str(),
                recipe.alone ? "'dofa-model calibrate' and 'eval' score it"
                             : "its sub-networks are added by 'dofa-model search' or 'add-subnet'");
  }
  return kExitOk;
}

}  // namespace

const Verb kTrainVerb{"train", "--data FOLDER -o FOLDER", "Train a Once-for-all supernet from nothing.",
                      kOptions, run};

}  // namespace dofa::tool

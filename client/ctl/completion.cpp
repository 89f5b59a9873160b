// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/completion.hpp"

#include <algorithm>
#include <map>

#include "client/ctl/contract_text.hpp"
#include "client/ctl/verbs.hpp"

namespace dofa::ctl {

namespace {

enum class Kind { kNothing, kFile, kDirectory, kFamily, kSession, kContract, kVerb, kCheck };

/// What each argument of a verb is; the last one stands for all that follow.
const std::map<std::string_view, std::vector<Kind>> kArguments{{"show", {Kind::kFamily}},
                                                               {"classify", {Kind::kFile}},
                                                               {"stream", {Kind::kFile}},
                                                               {"set", {Kind::kSession, Kind::kContract}},
                                                               {"load", {Kind::kDirectory}},
                                                               {"unload", {Kind::kFamily}},
                                                               {"profile", {Kind::kFamily}},
                                                               {"record", {Kind::kFile}},
                                                               {"plot", {Kind::kFile}},
                                                               {"config", {Kind::kCheck, Kind::kFile}},
                                                               {"parse-tegrastats", {Kind::kFile}},
                                                               {"help", {Kind::kVerb}}};

class Completer {
 public:
  Completer(const std::string& last, const NameSource& names) : last_(last), names_(names) {}

  void offer(std::string_view word) {
    if (word.starts_with(last_)) done_.words.emplace_back(word);
  }

  void offer_options(std::span<const Option> options) {
    for (const auto& option : options) {
      if (option.name != "-h" && option.name != "-o") offer(option.name);
    }
  }

  void offer_verbs() {
    for (const auto& verb : verbs()) {
      if (verb.hidden) continue;
      offer(verb.name);
      if (!verb.alias.empty()) offer(verb.alias);
    }
  }

  void offer_kind(Kind kind) {
    switch (kind) {
      case Kind::kFile:
        done_.files = Completion::Files::kFiles;
        break;
      case Kind::kDirectory:
        done_.files = Completion::Files::kDirectories;
        break;
      case Kind::kFamily:
        offer_names(names_.families, "");
        break;
      case Kind::kSession:
        offer_names(names_.sessions, "");
        break;
      case Kind::kContract:
        offer_contract();
        break;
      case Kind::kVerb:
        offer_verbs();
        break;
      case Kind::kCheck:
        offer("check");
        break;
      case Kind::kNothing:
        break;
    }
  }

  /// After an option that takes a value, written as its own word.
  void offer_value(const Option& option) {
    if (option.value == "auto|always|never") {
      for (const char* word : {"auto", "always", "never"}) offer(word);
    } else if (option.name == "--bus") {
      for (const char* word : {"system", "session", "unix:path="}) offer(word);
    } else if (option.name == "--format") {
      for (const char* word : {"rgb8", "bgr8", "gray8", "nv12", "yuyv", "float32-nchw"}) offer(word);
    } else if (option.name == "--family") {
      offer_kind(Kind::kFamily);
    } else if (option.name == "--session") {
      offer_kind(Kind::kSession);
    } else if (option.value == "KEY=VALUE") {
      offer_kind(Kind::kContract);
    } else if (option.value == "FILE") {
      offer_kind(Kind::kFile);
    }
  }

  [[nodiscard]] Completion finish() {
    std::ranges::sort(done_.words);
    done_.words.erase(std::ranges::unique(done_.words).begin(), done_.words.end());
    return std::move(done_);
  }

 private:
  void offer_names(const std::function<std::vector<std::string>()>& source, const std::string& before) {
    if (!source) return;
    try {
      for (const auto& name : source()) offer(before + name);
    } catch (const std::exception&) {
      // Not reachable: there is nothing to offer, and a prompt is no place to say so.
    }
  }

  void offer_contract() {
    const auto equals = last_.find('=');
    if (equals == last_.npos) {
      for (const auto key : contract_keys()) offer(std::string(key) + "=");
      return;
    }
    const auto key = last_.substr(0, equals + 1);
    if (key == "processor=") offer_names(names_.processors, key);
    for (const auto word : contract_words(last_.substr(0, equals))) offer(key + std::string(word));
  }

  const std::string& last_;
  const NameSource& names_;
  Completion done_;
};

const Option* find_option(std::string_view name, std::span<const Option> options) {
  const auto found = std::ranges::find(options, name, &Option::name);
  return found == options.end() ? nullptr : &*found;
}

const Verb* find_known_verb(std::string_view name) {
  for (const auto& verb : verbs()) {
    if (name == verb.name || (!verb.alias.empty() && name == verb.alias)) return &verb;
  }
  return nullptr;
}

/// Where the words before the last one have led.
struct Place {
  const Verb* verb = nullptr;
  bool unknown = false;  ///< something that is no verb stands in its place
  std::vector<Option> options;
  std::size_t arguments = 0;
  const Option* value_of = nullptr;  ///< the option whose value comes next
  bool options_over = false;         ///< after "--"
};

Place walk(std::span<const std::string> words) {
  Place place;
  place.options.assign(global_options().begin(), global_options().end());
  for (const auto& word : words) {
    if (place.value_of != nullptr) {
      place.value_of = nullptr;
    } else if (!place.options_over && word == "--") {
      place.options_over = true;
    } else if (!place.options_over && word.size() > 1 && word.front() == '-') {
      const Option* option = find_option(word, place.options);
      if (option != nullptr && !option->value.empty()) place.value_of = option;
    } else if (place.verb == nullptr) {
      place.verb = find_known_verb(word);
      place.unknown = place.unknown || place.verb == nullptr;
      if (place.verb != nullptr)
        place.options.insert(place.options.end(), place.verb->options.begin(), place.verb->options.end());
    } else {
      ++place.arguments;
    }
  }
  return place;
}

}  // namespace

Completion complete(std::span<const std::string> words, const NameSource& names) {
  static const std::string empty;
  const std::string& last = words.empty() ? empty : words.back();
  const auto place = walk(words.first(words.empty() ? 0 : words.size() - 1));

  if (place.value_of != nullptr) {
    Completer completer(last, names);
    completer.offer_value(*place.value_of);
    return completer.finish();
  }
  const bool is_option = !place.options_over && last.starts_with('-');
  const auto equals = last.find('=');
  if (is_option && equals != last.npos) {  // --color=al
    const Option* option = find_option(last.substr(0, equals), place.options);
    if (option == nullptr || option->value.empty()) return {};
    const std::string value = last.substr(equals + 1);
    Completer completer(value, names);
    completer.offer_value(*option);
    auto done = completer.finish();
    for (auto& word : done.words) word.insert(0, last.substr(0, equals + 1));
    return done;
  }
  Completer completer(last, names);
  if (is_option) {
    completer.offer_options(place.options);
  } else if (place.verb != nullptr) {
    const auto arguments = kArguments.find(place.verb->name);
    if (arguments != kArguments.end() && place.arguments < place.verb->most)
      completer.offer_kind(arguments->second[std::min(place.arguments, arguments->second.size() - 1)]);
  } else if (!place.unknown) {
    completer.offer_verbs();
  }
  return completer.finish();
}

}  // namespace dofa::ctl

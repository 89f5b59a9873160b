// SPDX-License-Identifier: Apache-2.0
// help, also reached as --help.
#include "client/ctl/verbs.hpp"

namespace dofa::ctl {

namespace {

std::string spelled(const Option& option) {
  return std::string(option.name) + (option.value.empty() ? "" : " " + std::string(option.value));
}

/// Two columns, indented.
std::string listed(const std::vector<std::pair<std::string, std::string>>& lines) {
  std::size_t width = 0;
  for (const auto& [left, right] : lines) width = std::max(width, width_of(left));
  std::string text;
  for (const auto& [left, right] : lines)
    text += "  " + left + std::string(width - width_of(left) + 2, ' ') + right + "\n";
  return text;
}

std::string options_text(std::span<const Option> options) {
  std::vector<std::pair<std::string, std::string>> lines;
  for (const auto& option : options) lines.emplace_back(spelled(option), option.help);
  return listed(lines);
}

std::string verb_text(const Verb& verb) {
  std::string text = "Usage: dofactl " + std::string(verb.name);
  if (!verb.arguments.empty()) text += " " + std::string(verb.arguments);
  if (!verb.options.empty()) text += " [OPTION…]";
  text += "\n" + std::string(verb.summary) + "\n";
  if (!verb.alias.empty()) text += "Also called '" + std::string(verb.alias) + "'.\n";
  if (!verb.options.empty()) text += "\nOptions:\n" + options_text(verb.options);
  return text + "\nOptions of every verb:\n" + options_text(global_options());
}

std::string overview() {
  std::vector<std::pair<std::string, std::string>> lines;
  for (const auto& verb : verbs()) {
    if (verb.hidden) continue;
    lines.emplace_back(
        std::string(verb.name) + (verb.arguments.empty() ? "" : " " + std::string(verb.arguments)),
        verb.summary);
  }
  return "Usage: dofactl [OPTION…] [VERB [ARGUMENT…]]\nTalks to dofad, the inference service.\n\nVerbs:\n" +
         listed(lines) + "\nOptions:\n" + options_text(global_options()) +
         "\nExit codes:\n"
         "  0 ok, 1 failed, 2 usage, 3 not found, 4 not authorised, 5 timed out, 7 dofad not reachable\n";
}

void write_json(json::Writer& writer, std::span<const Option> options) {
  writer.key("options").begin_array();
  for (const auto& option : options) {
    writer.begin_object().member("name", option.name).member("value", option.value);
    writer.member("help", option.help).end_object();
  }
  writer.end_array();
}

void write_json(json::Writer& writer, const Verb& verb) {
  writer.begin_object()
      .member("name", verb.name)
      .member("arguments", verb.arguments)
      .member("summary", verb.summary);
  write_json(writer, verb.options);
  writer.end_object();
}

/// All that is listed, or the one verb.
void print_json(const Verb* one) {
  json::Writer writer;
  writer.begin_object().member("schema", 1).key("verbs").begin_array();
  for (const auto& verb : verbs()) {
    if (one != nullptr ? verb.name == one->name : !verb.hidden) write_json(writer, verb);
  }
  writer.end_array();
  write_json(writer, global_options());
  print(writer.end_object());
}

}  // namespace

int run_help(const Context& context) {
  const auto& words = context.line.arguments();
  if (context.json) {
    print_json(words.empty() ? nullptr : &find_verb(words[0]));
    return kExitOk;
  }
  print(words.empty() ? overview() : verb_text(find_verb(words[0])));
  return kExitOk;
}

}  // namespace dofa::ctl

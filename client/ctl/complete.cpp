// SPDX-License-Identifier: Apache-2.0
// complete: for the shell's completion (client/completions/). Candidates, one a line; ":files" or
// ":directories" alone where the shell knows better.
#include <algorithm>

#include "client/ctl/completion.hpp"
#include "client/ctl/verbs.hpp"

namespace dofa::ctl {

namespace {

constexpr auto kPatience = std::chrono::seconds(2);  // who types does not wait longer

/// Of the command line that is being completed, as far as it says where to ask.
client::ConnectOptions connection_of(const Context& context) {
  auto options = context.connect_options;
  options.timeout = std::min<std::chrono::microseconds>(options.timeout, kPatience);
  const auto& words = context.line.arguments();
  for (std::size_t i = 0; i < words.size(); ++i) {
    constexpr std::string_view kOption = "--bus";
    if (words[i] == kOption && i + 1 < words.size()) options.bus = words[i + 1];
    if (words[i].starts_with("--bus=")) options.bus = words[i].substr(kOption.size() + 1);
  }
  return options;
}

}  // namespace

int run_complete(const Context& context) {
  const auto options = connection_of(context);
  const NameSource names{.families =
                             [&] {
                               std::vector<std::string> list;
                               for (const auto& family : client::Client::connect(options).families())
                                 list.push_back(family.name);
                               return list;
                             },
                         .sessions =
                             [&] {
                               std::vector<std::string> list;
                               for (const auto& session : client::Client::connect(options).sessions())
                                 list.push_back(session.id);
                               return list;
                             },
                         .processors =
                             [&] {
                               std::vector<std::string> list;
                               for (const auto& one : client::Client::connect(options).service().processors)
                                 list.push_back(one.name);
                               return list;
                             }};
  const auto done = complete(context.line.arguments(), names);
  std::string text;
  if (done.files == Completion::Files::kFiles) text = ":files\n";
  if (done.files == Completion::Files::kDirectories) text = ":directories\n";
  for (const auto& word : done.words) text += printable(word) + "\n";
  print(text);
  return kExitOk;
}

}  // namespace dofa::ctl

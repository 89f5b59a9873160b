// SPDX-License-Identifier: Apache-2.0
// dofactl: finds the verb and runs it.
#include "client/ctl/program.hpp"

namespace {

using namespace dofa::ctl;

int run(std::vector<std::string> words) {
  if (words == std::vector<std::string>{"--version"}) words = {"version"};
  // The verb is the first word that is no option: options may stand before it.
  const std::size_t at = first_argument(words, global_options());
  parse_options(std::span(words).first(at), global_options());  // a wrong one is named before what it hides
  const bool named = at < words.size() && words[at] != "--";
  const std::string name = named ? words[at] : "status";
  if (named) words.erase(words.begin() + static_cast<std::ptrdiff_t>(at));
  return run_verb(find_verb(name), words, named);
}

}  // namespace

int main(int argc, char** argv) {
  return guarded_main([&] { return run(std::vector<std::string>(argv + 1, argv + argc)); });
}

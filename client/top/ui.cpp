// SPDX-License-Identifier: Apache-2.0
#include "client/top/ui.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <sstream>

#include "client/ctl/contract_text.hpp"
#include "client/ctl/options.hpp"
#include "client/ctl/present.hpp"

namespace dofa::top {

namespace {

constexpr std::ptrdiff_t kPage = 10;
constexpr std::int64_t kRecentUs = 10'000'000;
constexpr std::size_t kLongestText = 200;

/// What rows are ordered by; greater stands higher but for names and numbers.
double urgency(const Row& row) {
  const auto latency = static_cast<double>(row.latency_us().value_or(0));
  const auto budget = row.info.contract.latency_budget_us;
  return budget ? latency / static_cast<double>(*budget) : latency * 1e-12;  // no budget, no hurry
}

bool comes_before(const Row& left, const Row& right, Sort sort) {
  switch (sort) {
    case Sort::kSession:
      break;
    case Sort::kApplication:
      return left.info.application < right.info.application;
    case Sort::kLatency:
      return urgency(left) > urgency(right);
    case Sort::kInTime:
      return left.in_time(kRecentUs).value_or(2) < right.in_time(kRecentUs).value_or(2);
    case Sort::kRate:
      return left.frames_per_s(kRecentUs) > right.frames_per_s(kRecentUs);
  }
  return false;  // as the service lists them
}

std::string number_text(double value) {
  std::string text = ctl::fixed(value, 3);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

/// What the field holds now, as one would type it.
std::string present_text(const client::Contract& contract, Prompt::Field field) {
  switch (field) {
    case Prompt::Field::kBudget:
      return contract.latency_budget_us ? number_text(static_cast<double>(*contract.latency_budget_us) / 1e3)
                                        : "";
    case Prompt::Field::kAccuracy:
      return contract.min_accuracy ? number_text(*contract.min_accuracy * 100) : "";
    case Prompt::Field::kPriority:
      return contract.priority ? std::to_string(*contract.priority) : "";
    case Prompt::Field::kAnything:
      break;
  }
  return "";
}

double number_in(const std::string& text, double low, double high) {
  const auto number = ctl::parse_number(text);
  if (!number || *number < low || *number > high)
    throw ctl::UsageError("wants a number from " + number_text(low) + " to " + number_text(high) + ", not '" +
                          text + "'");
  return *number;
}

}  // namespace

client::Contract changes_of(const Prompt& prompt) {
  client::Contract changes;
  switch (prompt.field) {
    case Prompt::Field::kBudget:  // the service's own limits, org.dofa.Dofa1.Session.xml
      changes.latency_budget_us =
          static_cast<std::uint64_t>(std::llround(number_in(prompt.text, 0.1, 60'000) * 1e3));
      break;
    case Prompt::Field::kAccuracy:
      changes.min_accuracy = number_in(prompt.text, 0, 100) / 100;
      break;
    case Prompt::Field::kPriority:
      changes.priority = static_cast<std::uint32_t>(std::lround(number_in(prompt.text, 1, 100)));
      break;
    case Prompt::Field::kAnything: {
      std::istringstream words(prompt.text);
      bool any = false;
      for (std::string word; words >> word; any = true) ctl::change_from_text(changes, word);
      if (!any) throw ctl::UsageError("wants KEY=VALUE");
      break;
    }
  }
  return changes;
}

std::string label_of(const Prompt& prompt) {
  const std::string of = " of " + prompt.application + " (" + prompt.session + ")";
  switch (prompt.field) {
    case Prompt::Field::kBudget:
      return "Latency budget" + of + ", ms: ";
    case Prompt::Field::kAccuracy:
      return "Lowest top-1" + of + ", %: ";
    case Prompt::Field::kPriority:
      return "Priority" + of + ", 1 to 100: ";
    case Prompt::Field::kAnything:
      break;
  }
  return "Contract" + of + ", KEY=VALUE...: ";
}

std::vector<std::size_t> Ui::order(const Model& model) const {
  std::vector<std::size_t> indices(model.rows().size());
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  std::ranges::stable_sort(indices, [&](std::size_t left, std::size_t right) {
    return comes_before(model.rows()[left], model.rows()[right], sort_);
  });
  if (reversed_) std::ranges::reverse(indices);
  return indices;
}

std::size_t Ui::selected(const Model& model) const {
  const auto indices = order(model);
  const auto found = std::ranges::find_if(
      indices, [&](std::size_t index) { return model.rows()[index].info.id == selected_; });
  return found == indices.end() ? 0 : static_cast<std::size_t>(found - indices.begin());
}

void Ui::say(const std::string& message, bool is_error) {
  message_ = message;
  message_is_error_ = is_error;
}

void Ui::move(const Model& model, std::ptrdiff_t by) {
  const auto indices = order(model);
  if (indices.empty()) return;
  const auto last = static_cast<std::ptrdiff_t>(indices.size()) - 1;
  const auto at = std::clamp(static_cast<std::ptrdiff_t>(selected(model)) + by, std::ptrdiff_t{0}, last);
  selected_ = model.rows()[indices[static_cast<std::size_t>(at)]].info.id;
}

void Ui::ask(const Model& model, Prompt::Field field) {
  const auto indices = order(model);
  if (indices.empty()) {
    say("there is no session", true);
    return;
  }
  const auto& session = model.rows()[indices[selected(model)]].info;
  selected_ = session.id;
  prompt_ = Prompt{.field = field,
                   .session = session.id,
                   .application = session.application,
                   .text = present_text(session.contract, field)};
}

Ui::Effect Ui::type(const Key& key) {
  auto& text = prompt_->text;
  switch (key.kind) {
    case Key::Kind::kText:
      if (text.size() < kLongestText) text += key.text;
      break;
    case Key::Kind::kBackspace:
      if (!text.empty()) text.pop_back();
      break;
    case Key::Kind::kClearLine:
      text.clear();
      break;
    case Key::Kind::kEscape:
      prompt_.reset();
      break;
    case Key::Kind::kEnter:
      try {
        Wish wish{.session = prompt_->session,
                  .application = prompt_->application,
                  .changes = changes_of(*prompt_)};
        prompt_.reset();
        return {.wish = std::move(wish)};
      } catch (const ctl::UsageError& error) {
        say(error.what(), true);  // what was typed stays, to be mended
      }
      break;
    default:
      break;
  }
  return {};
}

Ui::Effect Ui::press(const Key& key, const Model& model) {
  message_.clear();
  if (key.kind == Key::Kind::kText && key.text == 0) return {};  // one that means nothing here
  if (prompt_) return type(key);
  if (help_) {  // any key leaves it
    help_ = false;
    return {.quit = key.kind == Key::Kind::kText && key.text == 'q'};
  }
  switch (key.kind) {
    case Key::Kind::kUp:
      move(model, -1);
      return {};
    case Key::Kind::kDown:
      move(model, 1);
      return {};
    case Key::Kind::kPageUp:
      move(model, -kPage);
      return {};
    case Key::Kind::kPageDown:
      move(model, kPage);
      return {};
    case Key::Kind::kHome:
      move(model, -static_cast<std::ptrdiff_t>(model.rows().size()));
      return {};
    case Key::Kind::kEnd:
      move(model, static_cast<std::ptrdiff_t>(model.rows().size()));
      return {};
    case Key::Kind::kEnter:
      details_ = !details_;
      return {};
    case Key::Kind::kText:
      break;
    default:
      return {};
  }
  switch (key.text) {
    case 'q':
      return {.quit = true};
    case 'k':
      move(model, -1);
      break;
    case 'j':
      move(model, 1);
      break;
    case 's':
      move(model, 0);  // the selection follows its session, not its place
      sort_ = static_cast<Sort>((static_cast<int>(sort_) + 1) % (static_cast<int>(Sort::kRate) + 1));
      reversed_ = false;
      break;
    case 'r':
      move(model, 0);
      reversed_ = !reversed_;
      break;
    case 'd':
      details_ = !details_;
      break;
    case 'b':
      ask(model, Prompt::Field::kBudget);
      break;
    case 'a':
      ask(model, Prompt::Field::kAccuracy);
      break;
    case 'p':
      ask(model, Prompt::Field::kPriority);
      break;
    case 'e':
      ask(model, Prompt::Field::kAnything);
      break;
    case 'h':
    case '?':
      help_ = true;
      break;
    default:
      break;
  }
  return {};
}

}  // namespace dofa::top

// SPDX-License-Identifier: Apache-2.0
// What the person at the keyboard has chosen, and what a key does to it. Pure: keys in, wishes out. One
// thread's.
#pragma once

#include <dofa/client_types.hpp>

#include <optional>
#include <string>
#include <vector>

#include "client/top/model.hpp"

namespace dofa::top {

enum class Sort { kSession, kApplication, kLatency, kInTime, kRate };

/// A key, free of any library's numbers. Text keys carry their character.
struct Key {
  enum class Kind {
    kText,
    kUp,
    kDown,
    kPageUp,
    kPageDown,
    kHome,
    kEnd,
    kEnter,
    kEscape,
    kBackspace,
    kClearLine
  };
  Kind kind = Kind::kText;
  char text = 0;  ///< printable ASCII
};

/// A line that is being typed.
struct Prompt {
  enum class Field { kBudget, kAccuracy, kPriority, kAnything };
  Field field = Field::kBudget;
  std::string session;      ///< its id
  std::string application;  ///< to name it
  std::string text;
};

/// A contract to change.
struct Wish {
  std::string session;
  std::string application;
  client::Contract changes;
};

class Ui {
 public:
  /// What follows from a key beside the state here.
  struct Effect {
    bool quit = false;
    std::optional<Wish> wish = {};
  };
  Effect press(const Key& key, const Model& model);

  /// What the service answered; stays until the next key.
  void say(const std::string& message, bool is_error);

  /// Rows as shown: indices into model.rows().
  [[nodiscard]] std::vector<std::size_t> order(const Model& model) const;
  /// Place of the selected session within order(); 0 where it has gone.
  [[nodiscard]] std::size_t selected(const Model& model) const;

  [[nodiscard]] Sort sort() const { return sort_; }
  [[nodiscard]] bool reversed() const { return reversed_; }
  [[nodiscard]] bool help() const { return help_; }
  [[nodiscard]] bool details() const { return details_; }
  [[nodiscard]] const std::optional<Prompt>& prompt() const { return prompt_; }
  [[nodiscard]] const std::string& message() const { return message_; }
  [[nodiscard]] bool message_is_error() const { return message_is_error_; }

 private:
  void move(const Model& model, std::ptrdiff_t by);
  void ask(const Model& model, Prompt::Field field);
  Effect type(const Key& key);

  Sort sort_ = Sort::kSession;
  bool reversed_ = false;
  bool help_ = false;
  bool details_ = true;
  std::string selected_;  ///< session id
  std::optional<Prompt> prompt_;
  std::string message_;
  bool message_is_error_ = false;
};

/// The changes that a prompt's text asks for. Throws ctl::UsageError.
client::Contract changes_of(const Prompt& prompt);
/// What to write before the text: "Latency budget of camera, ms: ".
std::string label_of(const Prompt& prompt);

}  // namespace dofa::top

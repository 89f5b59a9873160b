// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/log_level.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdlib>
#include <utility>

namespace dofa::control {
namespace {

using Level = spdlog::level::level_enum;

/// The first word of each level is the one it is called by.
constexpr std::array<std::pair<const char*, Level>, 8> kLevels{{{"debug", Level::debug},
                                                                {"info", Level::info},
                                                                {"warning", Level::warn},
                                                                {"err", Level::err},
                                                                {"crit", Level::critical},
                                                                {"notice", Level::info},
                                                                {"alert", Level::critical},
                                                                {"emerg", Level::critical}}};

/// "<4>" before a warning: journald takes the priority from it (man 3 sd-daemon).
class SyslogPrefix final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    static constexpr std::string_view kPrefixes[] = {"<7>", "<7>", "<6>", "<4>", "<3>", "<2>", "<2>"};
    const std::string_view prefix = kPrefixes[message.level];
    out.append(prefix.data(), prefix.data() + prefix.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<SyslogPrefix>(); }
};

}  // namespace

Result<void> set_log_level(const std::string& word) {
  for (const auto& [name, level] : kLevels) {
    if (word == name) {
      spdlog::set_level(level);
      return {};
    }
  }
  return Error{ErrorCode::kInvalidArgument,
               "the log level must be debug, info, notice, warning, err or crit"};
}

std::string log_level() {
  for (const auto& [name, level] : kLevels) {
    if (spdlog::get_level() == level) return name;
  }
  return "info";
}

void set_up_log() {
  spdlog::set_default_logger(spdlog::stderr_color_mt("dofad"));
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<SyslogPrefix>('*');
  const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  formatter->set_pattern(journal ? "%*%v" : "%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
  spdlog::set_formatter(std::move(formatter));
  spdlog::flush_on(Level::info);
}

}  // namespace dofa::control

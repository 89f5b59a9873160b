// SPDX-License-Identifier: Apache-2.0
// The streaming of `dofactl stream`, whatever the source: opens a session and a stream, sends each frame at
// its time, says once a second how it goes and what came of all in the end.
#pragma once

#include "client/ctl/context.hpp"
#include "client/ctl/ending.hpp"
#include "client/ctl/frame_source.hpp"

namespace dofa::ctl {

/// Throws UsageError where --fps is no rate.
std::optional<double> rate_option(const CommandLine& line);

/// Until the source or --frames ends, or `ending` does. An ExitCode: ok where every frame that was submitted
/// was answered.
int stream_frames(const Context& context, FrameSource& source, const Ending& ending);

}  // namespace dofa::ctl

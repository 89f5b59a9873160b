// SPDX-License-Identifier: Apache-2.0
// dofactl-video: what `dofactl stream` becomes for video files and cameras, so that dofactl itself needs none
// of the libraries that read them.
#include <cstdlib>

#include "client/ctl/program.hpp"
#include "client/ctl/streaming.hpp"
#include "client/ctl/video.hpp"

namespace {

using namespace dofa::ctl;

int run_video(const Context& context) {
  const Ending ending;
  Video video(context.argument(0), context.line.has("--loop"), rate_option(context.line));
  return stream_frames(context, video, ending);
}

}  // namespace

int main(int argc, char** argv) {
  ::setenv("OPENCV_FFMPEG_LOGLEVEL", "-8", 0);  // quiet: what is wrong, we say ourselves
  return guarded_main([&] {
    Verb verb = find_verb("stream");
    verb.run = run_video;
    return run_verb(verb, std::vector<std::string>(argv + 1, argv + argc));
  });
}

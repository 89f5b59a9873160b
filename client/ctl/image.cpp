// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/image.hpp"

#include <dlfcn.h>

#include <string>

#include "client/ctl/external.hpp"

namespace dofa::ctl {

namespace {

ImageDecoder load_decoder() {
  const auto file = find_companion(kDecoderModule, std::filesystem::path(DOFA_LIB_DIR) / "dofad");
  // Never unloaded: its libraries' own threads and exit handlers stay.
  void* module = ::dlopen(file.empty() ? kDecoderModule : file.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* symbol = module == nullptr ? nullptr : ::dlsym(module, kDecoderSymbol);
  if (symbol == nullptr)
    throw client::Error(client::ErrorCode::kNotSupported,
                        std::string("cannot decode images: ") + ::dlerror());
  return reinterpret_cast<ImageDecoder>(symbol);
}

}  // namespace

Image read_image(const std::filesystem::path& file) {
  static const ImageDecoder decode = load_decoder();
  Image image;
  decode(file.c_str(), image);
  return image;
}

}  // namespace dofa::ctl

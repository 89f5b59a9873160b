// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/image.hpp"

#include <dlfcn.h>

#include <string>

namespace dofa::ctl {

namespace {

ImageDecoder load_decoder() {
  // Beside dofactl in a build directory, else where it is installed.
  std::error_code error;
  const auto beside = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / kDecoderModule;
  const std::filesystem::path installed = std::filesystem::path(DOFA_MODULE_DIR) / kDecoderModule;
  // Never unloaded: its libraries' own threads and exit handlers stay.
  void* module =
      ::dlopen((std::filesystem::exists(beside, error) ? beside : installed).c_str(), RTLD_NOW | RTLD_LOCAL);
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

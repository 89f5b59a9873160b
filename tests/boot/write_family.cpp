// SPDX-License-Identifier: Apache-2.0
// write_family DIRECTORY: a TorchScript family that tells red, green, blue and black apart, for the boot
// test.
#include <exception>
#include <iostream>

#include "tests/support/script_family.hpp"

int main(int argc, char** argv) try {
  if (argc != 2) return 2;
  dofa::test::write_script_family(
      argv[1], "colours",
      {{"plain", dofa::test::colour_net(5.0), "{top1: 0.5, top5: 1, dataset: colours, images: 4}"},
       {"sharp", dofa::test::colour_net(50.0), "{top1: 0.9, top5: 1, dataset: colours, images: 4}"}});
  return 0;
} catch (const std::exception& fault) {
  std::cerr << fault.what() << "\n";
  return 1;
}

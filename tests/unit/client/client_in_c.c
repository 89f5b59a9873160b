/* SPDX-License-Identifier: Apache-2.0 */
/* The public header as a C99 compiler sees it. */
#include <dofa/client.h>

dofa_stream_options dofa_c99_options(void) {
  const dofa_stream_options options = DOFA_STREAM_OPTIONS_INIT;
  return options;
}

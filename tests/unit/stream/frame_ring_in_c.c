/* SPDX-License-Identifier: Apache-2.0 */
/* The public header as a C compiler sees it: what C and C++ must agree on. */
#include "proto/frame_ring.h"

size_t dofa_c_result_bytes(void) {
  return sizeof(struct dofa_result);
}
size_t dofa_c_message_offset(void) {
  return offsetof(struct dofa_result, message);
}
void* dofa_c_pixels(struct dofa_ring* ring, uint32_t index) {
  return dofa_slot_pixels(ring, dofa_ring_slot(ring, index));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame ring: how pixels and results travel between an application and dofad without a copy and without
 * D-Bus. Plain C (C11) that also compiles as C++20; needs nothing of dofad but this file. Version 1.
 *
 * GETTING ONE
 *   Session.OpenStream(a{sv} format) -> (h ring, h doorbell) on D-Bus; its keys are documented in
 *   org.dofa.Dofa1.Session.xml. A session has one stream at a time.
 *     ring      a memfd whose size is sealed. fstat() it, mmap() all of it PROT_READ | PROT_WRITE,
 * MAP_SHARED, and call dofa_ring_check(). Everything in struct dofa_ring but `refused` was written before you
 * got it and stays. doorbell  your end of an AF_UNIX SOCK_SEQPACKET pair. Closing the doorbell ends the
 * stream. The service's end hangs up (POLLHUP, or recv() returning 0) when the session closes, its family is
 * unloaded or the service stops: open a new session and a new stream then.
 *
 * LAYOUT
 *   struct dofa_ring, then from `slots_offset` on `slots` slots of `slot_bytes` each. In a slot:
 *     0               struct dofa_slot: the state, and the frame's header, which the application writes
 *     pixels_offset   the frame: at most `pixels_bytes`, aligned to 64 bytes, rows `stride` bytes apart; the
 * planes of nv12 (luma, then interleaved chroma of half the rows) and float32-nchw (3 planes) follow one
 * another result_offset   struct dofa_result, which the service writes top_offset      `top_k` times struct
 * dofa_top, best first; result.top_count of them count raw_offset      `raw_floats` float: the network's
 * outputs before softmax; result.raw_count of them count
 *
 * A SLOT'S LIFE (dofa_slot.state; only the side named in brackets may make a step)
 *   FREE -> SUBMITTED [application]: claim a free slot, draw into its pixels, fill in slot->frame,
 * dofa_slot_publish(), then dofa_doorbell_ring(). Between FREE and SUBMITTED the slot is yours alone: draw
 * straight into it. One bell may announce several slots. SUBMITTED -> TAKEN [service]: header read and frame
 * queued. Hands off the pixels: a change now spoils your answer. TAKEN (or SUBMITTED) -> DONE [service]:
 * slot->result is complete; the doorbell rings. Every submitted frame is answered exactly once, refused ones
 * too (result.status). Answers come in the order of deadlines, not of submission: match them by `sequence`.
 *   DONE -> FREE [application]: dofa_slot_release() once the result was read. No bell needed.
 *   Publish slots round robin: those that wait together are taken in that order.
 *
 * THE DOORBELL
 *   A bell is a message of one byte whose content means nothing. Both sides send with MSG_DONTWAIT |
 * MSG_NOSIGNAL: EAGAIN          enough bells are queued already: success. EPIPE, ECONNRESET   the other side
 * is gone. The order that loses no wake-up: write the state, then ring (dofa_slot_publish() has the fence
 * that this needs). Waiting: poll() for POLLIN, or block in recv(); take all bells off
 * (dofa_doorbell_drain()), THEN look at the slots for DONE. A bell may come when nothing is new. Look before
 * you wait the first time. An application that rings without publishing anything acceptable for long is
 * listened to only once a millisecond.
 *
 * BACK-PRESSURE
 *   No FREE slot means the service is behind: wait for a bell, or give the frame up. For each frame given up
 * add one to ring->refused (dofa_ring_count_refused()), so that the session's statistics tell the truth.
 *
 * TRUST
 *   The service maps the same memory and believes none of it: it keeps its own slot states, ignores steps
 * that are not the application's to make, copies each header once and checks it. Whatever is written here
 * spoils only its writer's answers.
 */
#ifndef DOFA_FRAME_RING_H
#define DOFA_FRAME_RING_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
#define DOFA_RING_ASSERT static_assert
#else
#define DOFA_RING_ASSERT _Static_assert
#endif

#define DOFA_RING_MAGIC 0x61666f64u /* "dofa" in the machine's (little-endian) order */
#define DOFA_RING_VERSION 1u        /* grows when an old application would misread a new ring */

/* Slot states. */
enum { DOFA_SLOT_FREE = 0, DOFA_SLOT_SUBMITTED = 1, DOFA_SLOT_TAKEN = 2, DOFA_SLOT_DONE = 3 };

/* Pixel formats, as the words of OpenStream and Infer. */
enum {
  DOFA_FORMAT_RGB8 = 0,  /* "rgb8": 3 bytes a pixel */
  DOFA_FORMAT_BGR8 = 1,  /* "bgr8" */
  DOFA_FORMAT_GRAY8 = 2, /* "gray8" */
  DOFA_FORMAT_NV12 = 3,  /* "nv12": BT.601 limited range; even width and height */
  DOFA_FORMAT_YUYV = 4,  /* "yuyv": the same; even width */
  DOFA_FORMAT_FLOAT32_NCHW =
      5 /* "float32-nchw": 3 planes, normalised already, of the level's resolution, no padding */
};

/* What became of a frame: 0, or 1 + the place of the D-Bus error in org.dofa.Dofa1.Error's table. */
enum {
  DOFA_STATUS_OK = 0,
  DOFA_STATUS_FAILED = 1,           /* unexpected: the service's fault */
  DOFA_STATUS_INVALID_ARGUMENT = 2, /* format, sizes, stride, NaN in float32-nchw */
  DOFA_STATUS_BUSY = 5,
  DOFA_STATUS_NOT_READY = 6,
  DOFA_STATUS_NOT_SUPPORTED = 7,
  DOFA_STATUS_CANCELLED = 9,        /* session closed, service stopping */
  DOFA_STATUS_MISSED_DEADLINE = 10, /* dropped: could not be in time (contracts with when-late "drop") */
  DOFA_STATUS_UNSATISFIABLE = 11,
  DOFA_STATUS_RESOURCE_EXHAUSTED = 12 /* too many frames of this session wait */
};

/* Bits of dofa_result.flags. */
enum {
  DOFA_RESULT_LATE = 1,      /* answered after its deadline */
  DOFA_RESULT_BACKGROUND = 2 /* was above the contract's rate: served when nothing else waited */
};

/* Head of the memfd. The service writes all but `refused`, once. */
struct dofa_ring {
  uint32_t magic;
  uint32_t version;
  uint64_t bytes; /* size of the whole memfd */
  uint32_t slots;
  uint32_t top_k;      /* entries of a top list */
  uint32_t raw_floats; /* entries of a raw output; 0 = none was asked for */
  uint32_t format;     /* of OpenStream. A frame may have another format or size if it fits `pixels_bytes` */
  uint32_t width;      /* pixels */
  uint32_t height;     /* pixels */
  uint32_t stride;     /* bytes from row to row */
  uint32_t reserved_a;
  uint64_t slots_offset;  /* from the start of the memfd */
  uint64_t slot_bytes;    /* from slot to slot */
  uint64_t pixels_offset; /* these four: from the start of a slot */
  uint64_t result_offset;
  uint64_t top_offset;
  uint64_t raw_offset;
  uint64_t pixels_bytes; /* room for pixels in a slot */
  uint8_t reserved_b[24];
  uint64_t refused; /* the application's: frames it gave up because no slot was free; only ever grows */
  uint8_t reserved_c[120];
};

/* The application's description of a frame. The service copies it once, when it takes the slot. */
struct dofa_frame {
  uint64_t sequence;    /* yours; comes back in the result */
  uint64_t deadline_us; /* from the service's seeing it; 0 = the contract's. Only a later one than the
                           contract's counts */
  uint32_t format;      /* DOFA_FORMAT_… */
  uint32_t width;       /* pixels, 1..16384 */
  uint32_t height;      /* pixels, 1..16384 */
  uint32_t stride;      /* bytes from row to row; 0 = no padding */
  uint8_t reserved[32]; /* zero */
};

struct dofa_slot {
  uint32_t state; /* only through the functions below */
  uint8_t reserved[60];
  struct dofa_frame frame;
};

struct dofa_top {
  uint32_t class_index;
  float probability; /* softmax over all classes, 0..1 */
};

/* The service's answer; valid while the slot is DONE. Times in microseconds. */
struct dofa_result {
  uint64_t sequence;   /* the frame's */
  uint64_t arrival_us; /* CLOCK_MONOTONIC when the service saw the frame; 0 where it was refused */
  uint64_t queue_us;   /* from arrival to the start of its preparation */
  uint64_t service_us; /* from there to the answer: preprocess + inference + choosing the top classes */
  uint64_t preprocess_us;
  uint64_t inference_us;
  uint32_t status; /* DOFA_STATUS_…; unless OK, only sequence and message count */
  uint32_t flags;  /* DOFA_RESULT_… */
  uint32_t level;  /* sub-network used: index in the family, 0 = fastest */
  uint32_t top_count;
  uint32_t raw_count;
  uint32_t reserved_a;
  char processor[16]; /* "cpu", "cuda:0"; ends with NUL */
  char message[128];  /* one line for a person where status is not OK, else empty; ends with NUL */
  uint8_t reserved_b[40];
};

DOFA_RING_ASSERT(sizeof(struct dofa_ring) == 256, "layout of version 1");
DOFA_RING_ASSERT(offsetof(struct dofa_ring, slots_offset) == 48, "layout of version 1");
DOFA_RING_ASSERT(offsetof(struct dofa_ring, pixels_bytes) == 96, "layout of version 1");
DOFA_RING_ASSERT(offsetof(struct dofa_ring, refused) == 128, "layout of version 1");
DOFA_RING_ASSERT(sizeof(struct dofa_frame) == 64, "layout of version 1");
DOFA_RING_ASSERT(offsetof(struct dofa_frame, format) == 16, "layout of version 1");
DOFA_RING_ASSERT(offsetof(struct dofa_frame, reserved) == 32, "layout of version 1");
DOFA_RING_ASSERT(sizeof(struct dofa_slot) == 128, "layout of version 1");
DOFA_RING_ASSERT(offsetof(struct dofa_slot, frame) == 64, "layout of version 1");
DOFA_RING_ASSERT(sizeof(struct dofa_top) == 8, "layout of version 1");
DOFA_RING_ASSERT(sizeof(struct dofa_result) == 256, "layout of version 1");
DOFA_RING_ASSERT(offsetof(struct dofa_result, status) == 48, "layout of version 1");
DOFA_RING_ASSERT(offsetof(struct dofa_result, processor) == 72, "layout of version 1");
DOFA_RING_ASSERT(offsetof(struct dofa_result, message) == 88, "layout of version 1");

/* 0 where `ring`, of which `mapped` bytes are mapped, is one that this header describes; -1 otherwise. */
static inline int dofa_ring_check(const struct dofa_ring* ring, uint64_t mapped) {
  if (mapped < sizeof *ring || ring->magic != DOFA_RING_MAGIC || ring->version != DOFA_RING_VERSION)
    return -1;
  return ring->bytes <= mapped && ring->slots > 0 ? 0 : -1;
}

/* Slot `index`, below ring->slots. */
static inline struct dofa_slot* dofa_ring_slot(struct dofa_ring* ring, uint32_t index) {
  return (struct dofa_slot*)(void*)((char*)ring + ring->slots_offset + index * ring->slot_bytes);
}

static inline void* dofa_slot_pixels(const struct dofa_ring* ring, struct dofa_slot* slot) {
  return (char*)slot + ring->pixels_offset;
}

static inline struct dofa_result* dofa_slot_result(const struct dofa_ring* ring, struct dofa_slot* slot) {
  return (struct dofa_result*)(void*)((char*)slot + ring->result_offset);
}

static inline struct dofa_top* dofa_slot_top(const struct dofa_ring* ring, struct dofa_slot* slot) {
  return (struct dofa_top*)(void*)((char*)slot + ring->top_offset);
}

static inline float* dofa_slot_raw(const struct dofa_ring* ring, struct dofa_slot* slot) {
  return (float*)(void*)((char*)slot + ring->raw_offset);
}

/* A slot's state; what the other side wrote before it set that state may be read afterwards. */
static inline uint32_t dofa_slot_state(const struct dofa_slot* slot) {
  return __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
}

/* Sets a state after everything written before. The fence keeps the store ahead of the bell that follows:
 * without it the other side could take the last bell off, miss the new state and sleep, while our bell fails
 * as "already rung". */
static inline void dofa_slot_set_state(struct dofa_slot* slot, uint32_t state) {
  __atomic_store_n(&slot->state, state, __ATOMIC_RELEASE);
#ifndef __SANITIZE_THREAD__ /* which knows no fences, and warns */
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* Application: FREE -> SUBMITTED. Ring the doorbell next. */
static inline void dofa_slot_publish(struct dofa_slot* slot) {
  dofa_slot_set_state(slot, DOFA_SLOT_SUBMITTED);
}

/* Application: DONE -> FREE. */
static inline void dofa_slot_release(struct dofa_slot* slot) {
  dofa_slot_set_state(slot, DOFA_SLOT_FREE);
}

/* Application: one frame was given up because no slot was free. */
static inline void dofa_ring_count_refused(struct dofa_ring* ring) {
  __atomic_fetch_add(&ring->refused, 1, __ATOMIC_RELAXED);
}

/* Rings. 0 = rung or already rung; -1 = the other side is gone. Never blocks. */
static inline int dofa_doorbell_ring(int doorbell) {
  ssize_t sent;
  do {
    sent = send(doorbell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent >= 0 || errno == EAGAIN || errno == ENOBUFS ? 0 : -1;
}

/* Takes all bells off. 0 = done, look at the slots now; -1 = the other side is gone (look once more: the last
 * results are there). Never blocks. */
static inline int dofa_doorbell_drain(int doorbell) {
  for (;;) {
    char bell[1];
    const ssize_t got = recv(doorbell, bell, sizeof bell, MSG_DONTWAIT);
    if (got == 0) return -1;
    if (got < 0 && errno != EINTR) return errno == EAGAIN ? 0 : -1;
  }
}

#endif /* DOFA_FRAME_RING_H */

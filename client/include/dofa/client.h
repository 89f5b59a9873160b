/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libdofa-client for C (C99 and later) and whatever can call C: talk to dofad, the inference service.
 *
 *   dofa_client* client; dofa_session* session; dofa_error error;
 *   const char* contract[] = {"latency-budget-us=30000", "min-accuracy=0.7", NULL};
 *   if (dofa_client_connect(NULL, &client, &error) != DOFA_OK) …error.message…
 *   if (dofa_session_open(client, "doorbell", "mobilenet_v1", contract, &session, &error) != DOFA_OK) …
 *
 * Errors: every call that can fail returns DOFA_OK or a code and then fills in `error`, which may be NULL.
 * Outputs are written on success alone. Handles are closed with their own functions, in any order, NULL is
 * let pass; what a closed handle was used for ends. Closing a session ends its stream; the stream's handle
 * stays to be closed.
 *
 * Thread-safety: calls may be made from any thread at the same time, but none on a handle that is being
 * closed.
 *
 * ABI: functions are versioned (LIBDOFA_CLIENT_1) and stay. Structs that the caller fills begin with their
 * size (set it with the DOFA_…_INIT macros), so that later versions may grow at the end; result structs are
 * handed out by pointer for the same reason.
 */
#ifndef DOFA_CLIENT_H
#define DOFA_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#define DOFA_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* Codes: the service's errors (org.dofa.Dofa1.Error.*) in the order of their table, then two of the way. */
enum {
  DOFA_OK = 0,
  DOFA_E_FAILED = 1,
  DOFA_E_INVALID_ARGUMENT = 2,
  DOFA_E_NOT_FOUND = 3,
  DOFA_E_ALREADY_EXISTS = 4,
  DOFA_E_BUSY = 5,
  DOFA_E_NOT_READY = 6,
  DOFA_E_NOT_SUPPORTED = 7,
  DOFA_E_NOT_AUTHORIZED = 8,
  DOFA_E_CANCELLED = 9,
  DOFA_E_MISSED_DEADLINE = 10,
  DOFA_E_UNSATISFIABLE = 11,
  DOFA_E_RESOURCE_EXHAUSTED = 12,
  DOFA_E_INVALID_FAMILY = 13,
  DOFA_E_UNREACHABLE = 14,
  DOFA_E_TIMED_OUT = 15,
  DOFA_E_AGAIN = 16 /* nothing there now: no free slot, no result in time */
};

typedef struct dofa_error {
  int code;
  char message[252]; /* one line for a person; ends with NUL */
} dofa_error;

/* "NotFound" for DOFA_E_NOT_FOUND, and so on; "Ok", "Again"; "Unknown" for what is no code. */
DOFA_API const char* dofa_error_name(int code);

typedef struct dofa_client dofa_client;
typedef struct dofa_session dofa_session;
typedef struct dofa_stream dofa_stream;

/* `bus`: "system" (NULL means that), "session" or a D-Bus address. */
DOFA_API int dofa_client_connect(const char* bus, dofa_client** client, dofa_error* error);
DOFA_API void dofa_client_close(dofa_client* client);

/* `family` NULL: the first that is loaded. `contract`: "key=value" strings up to a NULL, or NULL for none;
 * the keys are those of the bus (org.dofa.Dofa1.Session.xml). When the service is restarted, the session and
 * its stream are opened again by themselves. */
DOFA_API int dofa_session_open(dofa_client* client, const char* application, const char* family,
                               const char* const* contract, dofa_session** session, dofa_error* error);
/* `changes`: as `contract`; "key=" returns a key to its default. All or nothing. */
DOFA_API int dofa_session_set_contract(dofa_session* session, const char* const* changes, dofa_error* error);
DOFA_API void dofa_session_close(dofa_session* session);

/* Pixel formats, the numbers of dofa/frame_ring.h. */
enum {
  DOFA_PIXELS_RGB8 = 0,
  DOFA_PIXELS_BGR8 = 1,
  DOFA_PIXELS_GRAY8 = 2,
  DOFA_PIXELS_NV12 = 3,        /* BT.601 limited range; even width and height */
  DOFA_PIXELS_YUYV = 4,        /* the same; even width */
  DOFA_PIXELS_FLOAT32_NCHW = 5 /* 3 planes, normalised already, of the level's resolution, no padding */
};

typedef struct dofa_image {
  size_t size; /* of this struct */
  const void* pixels;
  size_t bytes;
  uint32_t width;  /* pixels */
  uint32_t height; /* pixels */
  uint32_t format;
  uint32_t stride;      /* bytes from row to row; 0 = no padding */
  uint32_t top_k;       /* 1..100; 0 = the service's default, 5 */
  uint32_t reserved;    /* 0 */
  uint64_t deadline_us; /* from now, only later than the contract's; 0 = the contract's */
} dofa_image;
#define DOFA_IMAGE_INIT \
  { sizeof(dofa_image), NULL, 0, 0, 0, 0, 0, 0, 0, 0 }

typedef struct dofa_score {
  uint32_t class_index;
  float probability; /* 0..1 */
} dofa_score;

/* What became of one frame. Times in microseconds. */
typedef struct dofa_answer {
  uint64_t sequence;
  int32_t code;        /* DOFA_OK, or why there is no answer: then only sequence and message count */
  uint32_t level;      /* 0 = fastest */
  const char* message; /* never NULL */
  const char* processor;
  const dofa_score* top; /* best first */
  const float* raw;      /* outputs before softmax, in the ring itself; NULL where none were asked for */
  uint32_t top_count;
  uint32_t raw_count;
  uint32_t late;       /* answered after its deadline */
  uint32_t background; /* above the contract's rate: served when nothing else waited */
  uint64_t queue_us;
  uint64_t service_us; /* preprocessing, inference and choosing the top classes */
  uint64_t preprocess_us;
  uint64_t inference_us;
} dofa_answer;

/* One frame over D-Bus (copied), waiting for its answer. */
DOFA_API int dofa_session_infer(dofa_session* session, const dofa_image* image, dofa_answer** answer,
                                dofa_error* error);
/* An answer of dofa_session_infer() or dofa_stream_wait(); what it points to goes with it, and its slot in
 * the ring is free again (at once, unless raw outputs were asked for). */
DOFA_API void dofa_answer_free(dofa_answer* answer);

typedef struct dofa_stream_options {
  size_t size; /* of this struct */
  uint32_t width;
  uint32_t height;
  uint32_t format;
  uint32_t stride;     /* 0 = no padding */
  uint32_t slots;      /* frames in flight; 0 = the service's default, 4 */
  uint32_t top_k;      /* 0 = the service's default, 5 */
  uint32_t raw_output; /* 1 = also the outputs before softmax */
  uint32_t reserved;   /* 0 */
} dofa_stream_options;
#define DOFA_STREAM_OPTIONS_INIT \
  { sizeof(dofa_stream_options), 0, 0, 0, 0, 0, 0, 0, 0 }

/* Frames through shared memory; a session has one stream at a time. */
DOFA_API int dofa_stream_open(dofa_session* session, const dofa_stream_options* options, dofa_stream** stream,
                              dofa_error* error);
/* A free slot to draw the next frame into: its memory, aligned to 64 bytes, and its room. DOFA_E_AGAIN where
 * the service is behind or away. One slot at a time: asked again before submitting, it is the same. */
DOFA_API int dofa_stream_acquire(dofa_stream* stream, void** pixels, size_t* bytes, dofa_error* error);
/* Hands the acquired slot over. `deadline_us` as in dofa_image; `sequence` (may be NULL): 1, 2, … Each gets
 * exactly one answer, DOFA_E_CANCELLED where the service went away. */
DOFA_API int dofa_stream_submit(dofa_stream* stream, uint64_t deadline_us, uint64_t* sequence,
                                dofa_error* error);
/* Counts a frame that was given up because no slot was free, for the session's statistics. */
DOFA_API void dofa_stream_count_given_up(dofa_stream* stream);
/* The next answer, waiting for at most `timeout_ms` (0: not at all). DOFA_E_AGAIN where none came,
 * DOFA_E_CANCELLED where the session has ended and all answers were had. */
DOFA_API int dofa_stream_wait(dofa_stream* stream, int timeout_ms, dofa_answer** answer, dofa_error* error);
/* A descriptor for poll() and the like, readable while there may be an answer. */
DOFA_API int dofa_stream_fd(const dofa_stream* stream);
DOFA_API void dofa_stream_close(dofa_stream* stream);

#ifdef __cplusplus
}
#endif

#endif /* DOFA_CLIENT_H */

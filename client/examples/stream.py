#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Python: frames through a stream with the C API and ctypes alone; nothing to build or install.

    stream.py [BUS [FAMILY]]

DOFA_CLIENT_LIBRARY names another libdofa-client.so.1, for example a build's.
"""
import ctypes as c
import os
import sys

SIDE = 224
GRAY8 = 2  # DOFA_PIXELS_GRAY8
AGAIN = 16  # DOFA_E_AGAIN


class Error(c.Structure):
    _fields_ = [("code", c.c_int), ("message", c.c_char * 252)]


class Score(c.Structure):
    _fields_ = [("class_index", c.c_uint32), ("probability", c.c_float)]


class StreamOptions(c.Structure):
    _fields_ = [("size", c.c_size_t)] + [(name, c.c_uint32) for name in (
        "width", "height", "format", "stride", "slots", "top_k", "raw_output", "reserved")]


class Answer(c.Structure):
    _fields_ = [("sequence", c.c_uint64), ("code", c.c_int32), ("level", c.c_uint32), ("message", c.c_char_p),
                ("processor", c.c_char_p), ("top", c.POINTER(Score)), ("raw", c.POINTER(c.c_float)),
                ("top_count", c.c_uint32), ("raw_count", c.c_uint32), ("late", c.c_uint32), ("background", c.c_uint32),
                ("queue_us", c.c_uint64), ("service_us", c.c_uint64), ("preprocess_us", c.c_uint64),
                ("inference_us", c.c_uint64)]


library = c.CDLL(os.environ.get("DOFA_CLIENT_LIBRARY", "libdofa-client.so.1"))
library.dofa_error_name.restype = c.c_char_p
for name in ("dofa_answer_free", "dofa_stream_close", "dofa_session_close", "dofa_client_close",
             "dofa_stream_count_given_up"):
    getattr(library, name).restype = None


def call(name, *arguments):
    """Calls a function whose last argument is the error; False for "nothing there now"."""
    error = Error()
    code = getattr(library, name)(*arguments, c.byref(error))
    if code not in (0, AGAIN):
        sys.exit(f"{library.dofa_error_name(code).decode()}: {error.message.decode()}")
    return code == 0


def main():
    bus = sys.argv[1].encode() if len(sys.argv) > 1 else None
    family = sys.argv[2].encode() if len(sys.argv) > 2 else None
    contract = (c.c_char_p * 2)(b"latency-budget-us=100000", None)
    client, session, stream = c.c_void_p(), c.c_void_p(), c.c_void_p()
    call("dofa_client_connect", bus, c.byref(client))
    call("dofa_session_open", client, b"example", family, contract, c.byref(session))
    options = StreamOptions(size=c.sizeof(StreamOptions), width=SIDE, height=SIDE, format=GRAY8, top_k=1)
    call("dofa_stream_open", session, c.byref(options), c.byref(stream))

    for shade in range(0, 256, 32):
        pixels, room = c.c_void_p(), c.c_size_t()
        if not call("dofa_stream_acquire", stream, c.byref(pixels), c.byref(room)):
            library.dofa_stream_count_given_up(stream)
            continue
        c.memset(pixels, shade, SIDE * SIDE)  # a camera would draw here
        call("dofa_stream_submit", stream, c.c_uint64(0), None)
        answer = c.POINTER(Answer)()
        if not call("dofa_stream_wait", stream, 5000, c.byref(answer)):
            print("no answer in 5 s")
            continue
        found = answer.contents
        if found.code:
            print(f"frame {found.sequence}: {found.message.decode()}")
        else:
            best = found.top[0]
            print(f"frame {found.sequence}: class {best.class_index} with {100 * best.probability:.1f} %, level "
                  f"{found.level} on {found.processor.decode()}, {found.service_us / 1000:.2f} ms")
        library.dofa_answer_free(answer)
    library.dofa_stream_close(stream)
    library.dofa_session_close(session)
    library.dofa_client_close(client)


if __name__ == "__main__":
    main()

// SPDX-License-Identifier: Apache-2.0
// The C API over the C++ one. No exception leaves it; what the caller gives is checked before it is used.
#include <dofa/client.h>

#include <algorithm>
#include <cstring>
#include <dofa/client.hpp>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

#include "client/ctl/contract_text.hpp"

using dofa::client::ErrorCode;

struct dofa_client {
  dofa::client::Client client;
};
struct dofa_session {
  dofa::client::Session session;
};
struct dofa_stream {
  dofa::client::Stream stream;
  std::mutex mutex{};  ///< of the slot
  std::optional<dofa::client::FrameSlot> slot{};
};

namespace {

using dofa::client::Contract;
using dofa::client::Error;

constexpr int code_of(ErrorCode code) {
  return static_cast<int>(code) + 1;
}
static_assert(code_of(ErrorCode::kFailed) == DOFA_E_FAILED);
static_assert(code_of(ErrorCode::kCancelled) == DOFA_E_CANCELLED);
static_assert(code_of(ErrorCode::kInvalidFamily) == DOFA_E_INVALID_FAMILY);
static_assert(code_of(ErrorCode::kTimedOut) == DOFA_E_TIMED_OUT);
static_assert(static_cast<int>(dofa::client::PixelFormat::kFloat32Nchw) == DOFA_PIXELS_FLOAT32_NCHW);

int report(dofa_error* error, int code, const char* message) {
  if (error == nullptr) return code;
  error->code = code;
  const std::size_t length = std::min(std::strlen(message), sizeof error->message - 1);
  std::memcpy(error->message, message, length);
  error->message[length] = '\0';
  return code;
}

/// Runs `call`, which returns a code, and turns what it throws into one.
template <class Call>
int guarded(dofa_error* error, Call&& call) {
  try {
    return call();
  } catch (const Error& failure) {
    return report(error, code_of(failure.code()), failure.what());
  } catch (const dofa::ctl::UsageError& failure) {  // a contract's words
    return report(error, DOFA_E_INVALID_ARGUMENT, failure.what());
  } catch (const std::bad_alloc&) {
    return report(error, DOFA_E_RESOURCE_EXHAUSTED, "out of memory");
  } catch (const std::exception& failure) {
    return report(error, DOFA_E_FAILED, failure.what());
  }
}

template <class... Pointers>
void require(Pointers... pointers) {
  if (((pointers == nullptr) || ...)) throw Error(ErrorCode::kInvalidArgument, "a pointer is NULL");
}

void require_size(std::size_t size, std::size_t known) {
  if (size < known) throw Error(ErrorCode::kInvalidArgument, "a struct's size is not set");
}

dofa::client::PixelFormat format_of(std::uint32_t format) {
  if (format > static_cast<std::uint32_t>(dofa::client::PixelFormat::kFloat32Nchw))
    throw Error(ErrorCode::kInvalidArgument, "there is no pixel format " + std::to_string(format));
  return static_cast<dofa::client::PixelFormat>(format);
}

template <class Value>
std::optional<Value> unless_zero(Value value) {
  return value == 0 ? std::nullopt : std::optional<Value>(value);
}

Contract contract_of(const char* const* words) {
  Contract contract;
  for (; words != nullptr && *words != nullptr; ++words) dofa::ctl::set_from_text(contract, *words);
  return contract;
}

/// The answer with everything it points to.
struct OwnedAnswer {
  dofa_answer answer{};  // first: dofa_answer_free() gets its address
  std::string message;
  std::string processor;
  std::vector<dofa_score> top;
  std::shared_ptr<const void> raw_slot;

  dofa_answer* finish(const std::vector<dofa::client::Score>& scores) {
    for (const auto& score : scores)
      top.push_back({score.class_index, static_cast<float>(score.probability)});
    answer.message = message.c_str();
    answer.processor = processor.c_str();
    answer.top = top.data();
    answer.top_count = static_cast<std::uint32_t>(top.size());
    return &answer;
  }
};

dofa_answer* hand_out(const dofa::client::Answer& from) {
  auto owned = std::make_unique<OwnedAnswer>();
  owned->processor = from.processor;
  owned->answer.sequence = from.sequence;
  owned->answer.level = from.level;
  owned->answer.late = from.late ? 1 : 0;
  owned->answer.queue_us = from.queue_us;
  owned->answer.service_us = from.preprocess_us + from.inference_us;
  owned->answer.preprocess_us = from.preprocess_us;
  owned->answer.inference_us = from.inference_us;
  (void)owned->finish(from.top);
  return &owned.release()->answer;
}

dofa_answer* hand_out(dofa::client::StreamResult from) {
  auto owned = std::make_unique<OwnedAnswer>();
  owned->processor = std::move(from.processor);
  owned->raw_slot = std::move(from.raw_slot);
  owned->answer.sequence = from.sequence;
  if (from.error) {
    owned->answer.code = code_of(from.error->code());
    owned->message = from.error->what();
  }
  owned->answer.level = from.level;
  owned->answer.raw = from.raw.empty() ? nullptr : from.raw.data();
  owned->answer.raw_count = static_cast<std::uint32_t>(from.raw.size());
  owned->answer.late = from.late ? 1 : 0;
  owned->answer.background = from.background ? 1 : 0;
  owned->answer.queue_us = from.queue_us;
  owned->answer.service_us = from.service_us;
  owned->answer.preprocess_us = from.preprocess_us;
  owned->answer.inference_us = from.inference_us;
  (void)owned->finish(from.top);
  return &owned.release()->answer;
}

}  // namespace

const char* dofa_error_name(int code) {
  if (code == DOFA_OK) return "Ok";
  if (code == DOFA_E_AGAIN) return "Again";
  if (code < DOFA_E_FAILED || code > DOFA_E_TIMED_OUT) return "Unknown";
  return dofa::client::name_of(static_cast<ErrorCode>(code - 1)).data();  // of literals: it ends with NUL
}

int dofa_client_connect(const char* bus, dofa_client** client, dofa_error* error) {
  return guarded(error, [&] {
    require(client);
    *client = new dofa_client{dofa::client::Client::connect({.bus = bus == nullptr ? "system" : bus})};
    return DOFA_OK;
  });
}

void dofa_client_close(dofa_client* client) {
  delete client;
}

int dofa_session_open(dofa_client* client, const char* application, const char* family,
                      const char* const* contract, dofa_session** session, dofa_error* error) {
  return guarded(error, [&] {
    require(client, application, session);
    std::string name = family == nullptr ? "" : family;
    if (family == nullptr) {
      const auto families = client->client.families();
      if (families.empty()) throw Error(ErrorCode::kNotFound, "no family is loaded");
      name = families.front().name;
    }
    *session = new dofa_session{client->client.open_session(application, name, contract_of(contract))};
    return DOFA_OK;
  });
}

int dofa_session_set_contract(dofa_session* session, const char* const* changes, dofa_error* error) {
  return guarded(error, [&] {
    require(session, changes);
    Contract wanted;
    for (; *changes != nullptr; ++changes) dofa::ctl::change_from_text(wanted, *changes);
    session->session.set_contract(wanted);
    return DOFA_OK;
  });
}

void dofa_session_close(dofa_session* session) {
  delete session;
}

int dofa_session_infer(dofa_session* session, const dofa_image* image, dofa_answer** answer,
                       dofa_error* error) {
  return guarded(error, [&] {
    require(session, image, answer);
    require_size(image->size, sizeof *image);
    require(image->pixels);
    const auto found = session->session.infer(
        {.pixels = {static_cast<const std::byte*>(image->pixels), image->bytes},
         .width = image->width,
         .height = image->height,
         .format = format_of(image->format),
         .stride = image->stride},
        {.top_k = unless_zero(image->top_k), .deadline_us = unless_zero(image->deadline_us)});
    *answer = hand_out(found);
    return DOFA_OK;
  });
}

void dofa_answer_free(dofa_answer* answer) {
  delete reinterpret_cast<OwnedAnswer*>(answer);
}

int dofa_stream_open(dofa_session* session, const dofa_stream_options* options, dofa_stream** stream,
                     dofa_error* error) {
  return guarded(error, [&] {
    require(session, options, stream);
    require_size(options->size, sizeof *options);
    *stream = new dofa_stream{session->session.open_stream({.width = options->width,
                                                            .height = options->height,
                                                            .format = format_of(options->format),
                                                            .stride = options->stride,
                                                            .slots = unless_zero(options->slots),
                                                            .top_k = unless_zero(options->top_k),
                                                            .raw_output = options->raw_output != 0})};
    return DOFA_OK;
  });
}

int dofa_stream_acquire(dofa_stream* stream, void** pixels, size_t* bytes, dofa_error* error) {
  return guarded(error, [&]() -> int {
    require(stream, pixels, bytes);
    const std::lock_guard lock(stream->mutex);
    if (!stream->slot) stream->slot = stream->stream.try_acquire();
    if (!stream->slot) return report(error, DOFA_E_AGAIN, "no slot is free");
    *pixels = stream->slot->pixels().data();
    *bytes = stream->slot->pixels().size();
    return DOFA_OK;
  });
}

int dofa_stream_submit(dofa_stream* stream, uint64_t deadline_us, uint64_t* sequence, dofa_error* error) {
  return guarded(error, [&] {
    require(stream);
    const std::lock_guard lock(stream->mutex);
    if (!stream->slot) throw Error(ErrorCode::kInvalidArgument, "no slot was acquired");
    auto slot = std::exchange(stream->slot, std::nullopt);
    const auto number = stream->stream.submit(std::move(*slot), {.deadline_us = deadline_us});
    if (sequence != nullptr) *sequence = number;
    return DOFA_OK;
  });
}

void dofa_stream_count_given_up(dofa_stream* stream) {
  if (stream != nullptr) stream->stream.count_given_up();
}

int dofa_stream_wait(dofa_stream* stream, int timeout_ms, dofa_answer** answer, dofa_error* error) {
  return guarded(error, [&]() -> int {
    require(stream, answer);
    auto result = stream->stream.wait(std::chrono::milliseconds(timeout_ms));
    if (!result) return report(error, DOFA_E_AGAIN, "no answer came in time");
    *answer = hand_out(std::move(*result));
    return DOFA_OK;
  });
}

int dofa_stream_fd(const dofa_stream* stream) {
  return stream == nullptr ? -1 : stream->stream.fd();
}

void dofa_stream_close(dofa_stream* stream) {
  delete stream;
}

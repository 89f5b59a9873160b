/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C: one grey picture through a session, for its best class.
 *   cc infer.c $(pkg-config --cflags --libs dofa-client)
 *   ./a.out [BUS [FAMILY]]
 */
#include <dofa/client.h>

#include <stdio.h>
#include <string.h>

enum { kSide = 224 };
static unsigned char picture[kSide * kSide];

int main(int argc, char** argv) {
  const char* const contract[] = {"latency-budget-us=100000", NULL};
  dofa_client* client = NULL;
  dofa_session* session = NULL;
  dofa_answer* answer = NULL;
  dofa_error error;
  dofa_image image = DOFA_IMAGE_INIT;
  memset(picture, 128, sizeof picture);
  image.pixels = picture;
  image.bytes = sizeof picture;
  image.width = kSide;
  image.height = kSide;
  image.format = DOFA_PIXELS_GRAY8;
  image.top_k = 1;

  if (dofa_client_connect(argc > 1 ? argv[1] : NULL, &client, &error) != DOFA_OK ||
      dofa_session_open(client, "example", argc > 2 ? argv[2] : NULL, contract, &session, &error) !=
          DOFA_OK ||
      dofa_session_infer(session, &image, &answer, &error) != DOFA_OK) {
    fprintf(stderr, "%s: %s\n", dofa_error_name(error.code), error.message);
  } else if (answer->top_count > 0) {
    printf("class %u with %.1f %%, level %u on %s, %.2f ms\n", (unsigned)answer->top[0].class_index,
           100.0 * answer->top[0].probability, (unsigned)answer->level, answer->processor,
           (double)answer->service_us / 1000);
  }
  const int failed = answer == NULL;
  dofa_answer_free(answer);
  dofa_session_close(session);
  dofa_client_close(client);
  return failed;
}

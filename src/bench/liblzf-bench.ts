/** A program that prints the milliseconds that liblzf takes to encode and to decode a file's pages: the median of 9 rounds. */
export const LIBLZF_BENCH = String.raw`
#include <liblzf/lzf.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PAGE = 4096, LIMIT = PAGE - 256, ROUNDS = 9 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  FILE *file = fopen(argv[argc - 1], "rb");
  fseek(file, 0, SEEK_END);
  long pages = ftell(file) / PAGE;
  rewind(file);
  unsigned char *in = malloc(pages * PAGE), *out = malloc(pages * PAGE), *back = malloc(pages * PAGE);
  unsigned *length = malloc(pages * sizeof *length);
  if (fread(in, PAGE, pages, file) != (size_t)pages) return 1;
  double encode[ROUNDS], decode[ROUNDS];
  for (int round = 0; round < ROUNDS; round++) {
    double start = now();
    for (long i = 0; i < pages; i++) length[i] = lzf_compress(in + i * PAGE, PAGE, out + i * PAGE, LIMIT);
    encode[round] = now() - start;
    start = now();
    for (long i = 0; i < pages; i++) if (length[i]) lzf_decompress(out + i * PAGE, length[i], back + i * PAGE, PAGE);
    decode[round] = now() - start;
  }
  qsort(encode, ROUNDS, sizeof *encode, compare);
  qsort(decode, ROUNDS, sizeof *decode, compare);
  printf("%f %f\n", encode[ROUNDS / 2], decode[ROUNDS / 2]);
  return 0;
}
`;

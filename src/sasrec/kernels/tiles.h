/* Tiles: products of bfloat16 matrices, 32 x 32 results at a time.

   A left tile holds 16 rows of 32 values. A right tile holds 16 pairs of rows, each pair
   interleaved over 16 columns, as processors want it. Both are 1 KiB, and a 16 x 16 tile of float32
   results is the sum over the depth of left times right. AMX does this in one instruction; without
   it, the same tiles are multiplied with AVX-512's bfloat16 dot products. */

#ifndef SASREC_TILES_H
#define SASREC_TILES_H

#include <immintrin.h>
#include <stdint.h>

/* The functions that Python calls; all others stay inside. */
#define EXPORT __attribute__((visibility("default")))

#define LANES __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define AMX \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,amx-tile,amx-bf16")))

typedef uint16_t bfloat16;

enum { SIDE = 16, DEPTH = 32, BLOCK = 32, TILE = SIDE * DEPTH };

/* Two rows or columns of tiles: the tile for each next step of the depth stands `step` values on.
 */
typedef struct {
    const bfloat16 *first, *second;
    long step;
} Pair;

/* Write left times right, or add it, to 32 x 32 floats whose rows stand `stride` floats apart. */
typedef void Multiply(float *result, long stride, Pair left, Pair right, long depth, int add);

extern Multiply *multiply;

/* Whether products are faster than what is around them: with AMX. */
extern int products_are_cheap;

/* Per thread, before and after it multiplies. */
void begin_tiles(void);
void end_tiles(void);

#endif

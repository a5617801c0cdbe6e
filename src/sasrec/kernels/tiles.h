/* Tiles: products of bfloat16 matrices, 32 x 32 results at a time.

   A left tile holds 16 rows of 32 values. A right tile holds 16 pairs of rows, each pair
   interleaved over 16 columns, which is the format of the processor's instructions. Both take
   1 KiB. A 16 x 16 tile of float32 results is the sum over the depth of left times right. AMX
   multiplies two tiles in one instruction; without AMX, the same tiles are multiplied with the
   bfloat16 dot products of AVX-512. */

#ifndef SASREC_TILES_H
#define SASREC_TILES_H

#include <immintrin.h>
#include <stdint.h>

/* Marks the functions that Python calls; all others are not exported. */
#define EXPORT __attribute__((visibility("default")))

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define AMX \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,amx-tile,amx-bf16")))

typedef uint16_t bfloat16;

enum { SIDE = 16, DEPTH = 32, BLOCK = 32, TILE = SIDE * DEPTH };

/* Two rows or columns of tiles; the tile for the next step of the depth is `step` values later. */
typedef struct {
    const bfloat16 *first, *second;
    long step;
} Pair;

/* Write left times right to 32 x 32 floats, or add it; the rows are `stride` floats apart. */
typedef void Multiply(float *result, long stride, Pair left, Pair right, long depth, int add);

extern Multiply *multiply;

/* Whether AMX is used. Products then take less time than the memory accesses around them. */
extern int has_amx;

/* Each thread calls these before and after it multiplies. */
void begin_tiles(void);
void end_tiles(void);

#endif

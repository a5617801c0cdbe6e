/* Causal attention with dropout, and its gradient, one window and head at a time.

   With e = exp(scale query . key + bias), set to zero for later keys, Z its sum over the keys, m
   the dropout mask (0 or 1 / kept) and g the gradient of the output,

       output  = sum over keys of m e value / Z
       d value = sum over queries of m e g / Z
       error   = e (m (g . value) - g . output) / Z
       d query = scale sum over keys of error key,    d key = scale sum over queries of error query
       d bias  = error

   Scores have a key in each row and queries in the lanes, so that no sum crosses lanes. Windows are
   padded with zeros to a multiple of 32; padding keys come after every real query, so the causal
   mask excludes them. */

#ifndef SASREC_ATTENTION_H
#define SASREC_ATTENTION_H

#include "bias.h"
#include "forms.h"
#include "workspace.h"
#include "thread_pool.h"

typedef struct {
    const bfloat16 *projected; /* [rows, columns, 3, heads, depth] */
    const uint32_t *bits;      /* [rows, heads, padded keys, padded queries / 32], 1 if kept */
    long rows, columns, heads, depth;
    float kept;       /* probability of keeping */
    bfloat16 *output; /* [rows, columns, heads, depth] */
    float *inverse;   /* 1 / Z, [rows, heads, padded queries] */
    Bias bias;
    char *workspace;
    int unsafe;
    const bfloat16 *grad;
    bfloat16 *projected_grad;
} Attention;

/* Upper limit of the bytes that a thread needs for one window and head. */
long attention_bytes(const Attention *work);

static inline Matrix part(const Attention *work, const bfloat16 *values, long row, long stride,
                          long offset)
{
    return matrix(values + row * work->columns * stride + offset, stride, work->columns,
                  work->depth);
}

static inline Matrix projected(const Attention *work, long row, long head, long which)
{
    const long width = work->heads * work->depth;
    return part(work, work->projected, row, 3 * width, which * width + head * work->depth);
}

static inline Matrix result(const Attention *work, const bfloat16 *values, long row, long head)
{
    return part(work, values, row, work->heads * work->depth, head * work->depth);
}

/* The dropout bits of a window and head. */
static inline const uint32_t *bits_of(const Attention *work, long row, long head)
{
    const long blocks = (work->columns + BLOCK - 1) / BLOCK;
    return work->bits + (row * work->heads + head) * blocks * BLOCK * blocks;
}

/* e of a key and 16 queries, given their scores; zero for queries before the key. */
AVX512 static inline __m512 weight(const float *scores, const BiasView *bias, long key, long query,
                                   float scale)
{
    const __m512 score = _mm512_load_ps(scores + key % BLOCK * BLOCK + query % BLOCK);
    const __m512 power = power_of_two(
        _mm512_fmadd_ps(score, _mm512_set1_ps(scale * LOG2_E), bias_at(bias, key, query)));
    const long before = key - query;
    const __mmask16 after = before <= 0 ? 0xffff : before < SIDE ? 0xffff << before : 0;
    return _mm512_maskz_mov_ps(after, power);
}

/* Multiply [depth, 32 positions] by a factor for each position and store it as rows of bfloat16. */
AVX512 static inline void write_transposed(const float *values, const float *factors, Matrix to,
                                           long block)
{
    for (long half = 0; half < 2; half++)
        for (long at = 0; at < to.width; at += SIDE) {
            const __m512 factor = _mm512_loadu_ps(factors + half * SIDE);
            __m512i rows[SIDE];
            for (long row = 0; row < SIDE; row++)
                rows[row] = _mm512_castps_si512(_mm512_mul_ps(
                    factor, _mm512_load_ps(values + (at + row) * BLOCK + half * SIDE)));
            transpose(rows);
            for (long row = 0; row < SIDE; row++) {
                const long index = block * BLOCK + half * SIDE + row;
                if (index < to.count)
                    store_narrow((bfloat16 *)to.values + index * to.stride + at,
                                 _mm512_castsi512_ps(rows[row]));
            }
        }
}

#endif

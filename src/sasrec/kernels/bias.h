/* Bias: a learned number for each distance, added to attention scores
   (see models/parts/positions.py).

   There is a bias for the number of events between query and key, and one for the bucket of the
   time between them: 64 buckets, and one more for unknown times. */

#ifndef SASREC_BIAS_H
#define SASREC_BIAS_H

#include "lanes.h"
#include "workspace.h"

enum { BUCKETS = 65, UNKNOWN = 64 };

typedef struct {
    const uint8_t *numbers; /* buckets of gaps, [rows, padded keys, padded queries], or null */
    const float *by_gap;    /* [BUCKETS, heads] */
    const float *by_step;   /* [columns or more, heads], or null */
} Bias;

/* The bias of one window and head, multiplied by log2 e. */
typedef struct {
    const uint8_t *numbers;
    long padded;
    float *gaps;  /* [BUCKETS] */
    float *steps; /* points to the value of distance 0; distances from -BLOCK on can be read */
} BiasView;

static inline long padded_to_blocks(long columns) { return (columns + BLOCK - 1) / BLOCK * BLOCK; }

static inline long bias_bytes(long columns)
{
    return (BUCKETS + padded_to_blocks(columns) + 2 * BLOCK) * (long)sizeof(float) + 2 * ALIGNED;
}

static inline BiasView view_bias(const Bias *bias, long row, long head, long heads, long columns,
                                 Workspace *workspace)
{
    BiasView view = {.padded = padded_to_blocks(columns)};
    if (bias->numbers) {
        view.numbers = bias->numbers + row * view.padded * view.padded;
        view.gaps = take_floats(workspace, BUCKETS);
        for (long bucket = 0; bucket < BUCKETS; bucket++)
            view.gaps[bucket] = bias->by_gap[bucket * heads + head] * LOG2_E;
    }
    if (bias->by_step) {
        view.steps = take_floats(workspace, view.padded + 2 * BLOCK) + BLOCK;
        for (long step = -BLOCK; step < view.padded + BLOCK; step++)
            view.steps[step] =
                step < 0 || step >= columns ? 0 : bias->by_step[step * heads + head] * LOG2_E;
    }
    return view;
}

AVX512 static inline __m512i buckets_at(const BiasView *bias, long key, long query)
{
    const uint8_t *here = bias->numbers + key * bias->padded + query;
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)here));
}

/* The bias of a key and 16 queries. */
AVX512 static inline __m512 bias_at(const BiasView *bias, long key, long query)
{
    __m512 sum = _mm512_setzero_ps();
    if (bias->numbers) {
        const __m512i buckets = buckets_at(bias, key, query);
        const float *gaps = bias->gaps;
        const __m512 lower =
            _mm512_permutex2var_ps(_mm512_load_ps(gaps), buckets, _mm512_load_ps(gaps + 16));
        const __m512 upper =
            _mm512_permutex2var_ps(_mm512_load_ps(gaps + 32), buckets, _mm512_load_ps(gaps + 48));
        sum = _mm512_mask_blend_ps(_mm512_test_epi32_mask(buckets, _mm512_set1_epi32(32)), lower,
                                   upper);
        sum = _mm512_mask_blend_ps(_mm512_test_epi32_mask(buckets, _mm512_set1_epi32(UNKNOWN)), sum,
                                   _mm512_set1_ps(gaps[UNKNOWN]));
    }
    if (bias->steps)
        sum = _mm512_add_ps(sum, _mm512_loadu_ps(bias->steps + query - key));
    return sum;
}

/* Number of floats for the sums of a head's gradients: one per bucket and lane, so that lanes do
   not write to the same number, and one per step. */
static inline long bias_sums(long columns)
{
    return BUCKETS * SIDE + padded_to_blocks(columns) + 2 * BLOCK;
}

AVX512 static inline void add_bias_error(const BiasView *bias, float *sums, long key, long query,
                                         __m512 error)
{
    if (bias->numbers) {
        const __m512i lanes =
            _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
        const __m512i places =
            _mm512_add_epi32(_mm512_slli_epi32(buckets_at(bias, key, query), 4), lanes);
        const __m512 before = _mm512_i32gather_ps(places, sums, sizeof(float));
        _mm512_i32scatter_ps(sums, places, _mm512_add_ps(before, error), sizeof(float));
    }
    if (bias->steps) {
        float *here = sums + BUCKETS * SIDE + BLOCK + query - key;
        _mm512_storeu_ps(here, _mm512_add_ps(_mm512_loadu_ps(here), error));
    }
}

static inline void collect_bias(const float *sums, long head, long heads, long columns,
                                float *by_gap, float *by_step)
{
    for (long bucket = 0; by_gap && bucket < BUCKETS; bucket++)
        for (long lane = 0; lane < SIDE; lane++)
            by_gap[bucket * heads + head] += sums[bucket * SIDE + lane];
    for (long step = 0; by_step && step < columns; step++)
        by_step[step * heads + head] += sums[BUCKETS * SIDE + BLOCK + step];
}

#endif

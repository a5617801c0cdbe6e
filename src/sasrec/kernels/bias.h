/* Bias: a learned number for each distance, added to attention scores (see models/positions.py).

   By the number of events between query and key, and by a kind of the time between them, of which
   there are 64 and one where times are not known. */

#ifndef SASREC_BIAS_H
#define SASREC_BIAS_H

#include "lanes.h"
#include "room.h"

enum { KINDS = 65, UNKNOWN = 64 };

typedef struct {
    const uint8_t *numbers; /* kinds of gaps, [rows, padded keys, padded queries]; null without */
    const float *by_gap;    /* [KINDS, heads] */
    const float *by_step;   /* [columns or more, heads]; null without */
} Bias;

/* What a window and head need of it; values are for powers of two. */
typedef struct {
    const uint8_t *numbers;
    long padded;
    float *gaps;  /* [KINDS] */
    float *steps; /* the value of distance 0; distances from -BLOCK on can be read */
} BiasView;

static inline long padded_to_blocks(long columns) { return (columns + BLOCK - 1) / BLOCK * BLOCK; }

static inline long bias_room(long columns)
{
    return (KINDS + padded_to_blocks(columns) + 2 * BLOCK) * (long)sizeof(float) + 2 * ALIGNED;
}

static inline BiasView view_bias(const Bias *bias, long row, long head, long heads, long columns,
                                 Room *room)
{
    BiasView view = {.padded = padded_to_blocks(columns)};
    if (bias->numbers) {
        view.numbers = bias->numbers + row * view.padded * view.padded;
        view.gaps = take_floats(room, KINDS);
        for (long kind = 0; kind < KINDS; kind++)
            view.gaps[kind] = bias->by_gap[kind * heads + head] * LOG2_E;
    }
    if (bias->by_step) {
        view.steps = take_floats(room, view.padded + 2 * BLOCK) + BLOCK;
        for (long step = -BLOCK; step < view.padded + BLOCK; step++)
            view.steps[step] =
                step < 0 || step >= columns ? 0 : bias->by_step[step * heads + head] * LOG2_E;
    }
    return view;
}

LANES static inline __m512i kinds_at(const BiasView *bias, long key, long query)
{
    const uint8_t *here = bias->numbers + key * bias->padded + query;
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)here));
}

/* What to add to the scores of a key and 16 queries. */
LANES static inline __m512 bias_at(const BiasView *bias, long key, long query)
{
    __m512 sum = _mm512_setzero_ps();
    if (bias->numbers) {
        const __m512i kinds = kinds_at(bias, key, query);
        const float *gaps = bias->gaps;
        const __m512 lower =
            _mm512_permutex2var_ps(_mm512_load_ps(gaps), kinds, _mm512_load_ps(gaps + 16));
        const __m512 upper =
            _mm512_permutex2var_ps(_mm512_load_ps(gaps + 32), kinds, _mm512_load_ps(gaps + 48));
        sum = _mm512_mask_blend_ps(_mm512_test_epi32_mask(kinds, _mm512_set1_epi32(32)), lower,
                                   upper);
        sum = _mm512_mask_blend_ps(_mm512_test_epi32_mask(kinds, _mm512_set1_epi32(UNKNOWN)), sum,
                                   _mm512_set1_ps(gaps[UNKNOWN]));
    }
    if (bias->steps)
        sum = _mm512_add_ps(sum, _mm512_loadu_ps(bias->steps + query - key));
    return sum;
}

/* Floats to sum up gradients of a head in: by kind and lane, so that no two lanes meet; by step. */
static inline long bias_sums(long columns)
{
    return KINDS * SIDE + padded_to_blocks(columns) + 2 * BLOCK;
}

LANES static inline void add_bias_error(const BiasView *bias, float *sums, long key, long query,
                                        __m512 error)
{
    if (bias->numbers) {
        const __m512i lanes =
            _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
        const __m512i places =
            _mm512_add_epi32(_mm512_slli_epi32(kinds_at(bias, key, query), 4), lanes);
        const __m512 before = _mm512_i32gather_ps(places, sums, sizeof(float));
        _mm512_i32scatter_ps(sums, places, _mm512_add_ps(before, error), sizeof(float));
    }
    if (bias->steps) {
        float *here = sums + KINDS * SIDE + BLOCK + query - key;
        _mm512_storeu_ps(here, _mm512_add_ps(_mm512_loadu_ps(here), error));
    }
}

static inline void collect_bias(const float *sums, long head, long heads, long columns,
                                float *by_gap, float *by_step)
{
    for (long kind = 0; by_gap && kind < KINDS; kind++)
        for (long lane = 0; lane < SIDE; lane++)
            by_gap[kind * heads + head] += sums[kind * SIDE + lane];
    for (long step = 0; by_step && step < columns; step++)
        by_step[step * heads + head] += sums[KINDS * SIDE + BLOCK + step];
}

#endif

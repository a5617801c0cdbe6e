/* The first half of the softmax: Z, the loss and the gradient of the state for each position. */

#include "softmax.h"

#include <math.h>
#include <string.h>

/* Compute e from the scores of a block, as right tiles [items, positions], and as left tiles if
   `kept` is not null; and add e to Z. */
AVX512 static inline void exponentiate(const float *scores, long filled, bfloat16 *tiles,
                                       bfloat16 *kept, float *sums, const bfloat16 *next,
                                       const bfloat16 *needed, long width)
{
    __m512 first_sum = _mm512_load_ps(sums), second_sum = _mm512_load_ps(sums + SIDE);
    for (long row = 0; row < BLOCK; row += 2) {
        fetch(next, needed, width, row);
        fetch(next, needed, width, row + 1);
        __m512 parts[4];
        for (long part = 0; part < 4; part++) {
            const long item = row + part / 2;
            parts[part] = power_of_two(_mm512_load_ps(scores + item * BLOCK + part % 2 * SIDE));
            if (item >= filled)
                parts[part] = _mm512_setzero_ps();
        }
        first_sum = _mm512_add_ps(first_sum, _mm512_add_ps(parts[0], parts[2]));
        second_sum = _mm512_add_ps(second_sum, _mm512_add_ps(parts[1], parts[3]));
        _mm512_store_si512(tiles + row / 2 * DEPTH, interleaved(parts[0], parts[2]));
        _mm512_store_si512(tiles + TILE + row / 2 * DEPTH, interleaved(parts[1], parts[3]));
        if (kept) {
            bfloat16 *line = kept + row / SIDE * TILE + row % SIDE * DEPTH;
            _mm512_store_si512(line, narrowed(parts[0], parts[1]));
            _mm512_store_si512(line + DEPTH, narrowed(parts[2], parts[3]));
        }
    }
    _mm512_store_ps(sums, first_sum);
    _mm512_store_ps(sums + SIDE, second_sum);
}

/* Z and the unscaled gradient of the states for a block of positions and some blocks of items.

   The scores of the next block are started before those of this block are used, so that the
   processor computes products and exponentials in parallel. */
AVX512 static void mix(const Softmax *work, long positions, long begin, long end)
{
    float scores[2][BLOCK * BLOCK] __attribute__((aligned(64)));
    bfloat16 tiles[GROUP * 2 * TILE] __attribute__((aligned(64)));
    const long width = work->width, size = BLOCK * width;
    int turn = 0;
    score(work, begin, positions, scores[turn]);
    for (long group = begin; group < end; group += GROUP) {
        const long count = end - group < GROUP ? end - group : GROUP;
        for (long at = group; at < group + count; at++) {
            if (at + 1 < end)
                score(work, at + 1, positions, scores[!turn]);
            exponentiate(scores[turn], work->items - at * BLOCK, tiles + (at - group) * 2 * TILE,
                         kept_tiles(work, at, positions), work->sums + positions * BLOCK,
                         work->rows + (at + 2) * size, work->columns + at * size, width);
            turn = !turn;
        }
        for (long row = 0; row < width; row += BLOCK) {
            const bfloat16 *columns = work->columns + group * size + row * DEPTH;
            multiply(work->mixed + positions * size + row * BLOCK, BLOCK,
                     (Pair){columns, columns + TILE, size}, (Pair){tiles, tiles + TILE, 2 * TILE},
                     count, 1);
        }
    }
}

/* The loss, the gradient of the states, and hidden / Z for the gradient of the table. */
AVX512 static double finish(const Softmax *work, long block)
{
    const long width = work->width;
    const float *mixed = work->mixed + block * width * BLOCK, *sums = work->sums + block * BLOCK;
    bfloat16 *shares = work->shares + block * BLOCK * width;
    double loss = 0;
    for (long index = 0; index < BLOCK; index++) {
        const long position = block * BLOCK + index;
        const int real = position < work->positions;
        const float inverse = real ? 1 / sums[index] : 0;
        /* Tiles are ordered by half of the width; each holds pairs of positions. */
        bfloat16 *column = shares + index / 2 * DEPTH + index % 2;
        if (!real) {
            for (long at = 0; at < width; at++)
                column[at / SIDE * TILE + at % SIDE * 2] = 0;
            continue;
        }
        const float *state = work->hidden + position * width;
        const float *target_vector = work->table + work->targets[position] * width;
        float *grad = work->hidden_grad + position * width, product = 0;
        for (long at = 0; at < width; at++) {
            product += state[at] * target_vector[at];
            grad[at] = mixed[at * BLOCK + index] * inverse - target_vector[at];
            column[at / SIDE * TILE + at % SIDE * 2] = narrow_one(state[at] * inverse);
        }
        loss += log((double)sums[index]) - product;
    }
    return loss;
}

static int safe(const Softmax *work, long block)
{
    for (long index = 0; index < BLOCK; index++) {
        if (!is_safe(work->sums[block * BLOCK + index]))
            return 0;
    }
    return 1;
}

AVX512 void take_positions(void *given, long thread, long size)
{
    const Softmax *work = given;
    const long all = work->last - work->first, items = blocks_of(work->items);
    const long begin = work->first + share_start(all, thread, size);
    const long end = work->first + share_start(all, thread + 1, size);
    memset(work->mixed + begin * BLOCK * work->width, 0,
           (size_t)((end - begin) * BLOCK * work->width) * sizeof(float));
    memset(work->sums + begin * BLOCK, 0, (size_t)((end - begin) * BLOCK) * sizeof(float));
    begin_tiles();
    for (long chunk = 0; chunk < items; chunk += CHUNK)
        for (long block = begin; block < end; block++)
            mix(work, block, chunk, chunk + CHUNK < items ? chunk + CHUNK : items);
    end_tiles();
    double loss = 0;
    for (long block = begin; block < end; block++)
        loss += safe(work, block) ? finish(work, block) : NAN;
    work->losses[thread] += loss;
}

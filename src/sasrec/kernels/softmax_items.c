/* The second half of the softmax: the gradient of the table. */

#include "softmax.h"

#include <string.h>

/* Compute e again for a block of items and a block of positions, as left tiles [items, positions].
 */
AVX512 static inline void repeat(const float *scores, bfloat16 *tiles, const bfloat16 *next,
                                 const bfloat16 *needed, long width)
{
    for (long row = 0; row < BLOCK; row++) {
        fetch(next, needed, width, row);
        const __m512 first = power_of_two(_mm512_load_ps(scores + row * BLOCK));
        const __m512 second = power_of_two(_mm512_load_ps(scores + row * BLOCK + SIDE));
        _mm512_store_si512(tiles + row / SIDE * TILE + row % SIDE * DEPTH, narrowed(first, second));
    }
}

/* The gradients of some blocks of items, without the term of the targets.

   Each group of positions is used for all of these blocks, so that it is read from memory once. */
AVX512 static void gather(const Softmax *work, long items, long count, float *sums)
{
    float scores[2][BLOCK * BLOCK] __attribute__((aligned(64)));
    bfloat16 tiles[GROUP * 2 * TILE] __attribute__((aligned(64)));
    const long width = work->width, size = BLOCK * width, all = grouped(work->positions);
    int turn = 0;
    score(work, items, 0, scores[turn]);
    for (long group = 0; group < all; group += GROUP)
        for (long which = 0; which < count; which++) {
            for (long at = group; at < group + GROUP; at++) {
                const int ends = at + 1 == group + GROUP, wraps = ends && which + 1 == count;
                const long next = ends && !wraps ? group : at + 1;
                if (next < all)
                    score(work, items + (wraps ? 0 : which + ends), next, scores[!turn]);
                repeat(scores[turn], tiles + (at - group) * 2 * TILE,
                       work->states + (at + 2) * size, work->shares + at * size, width);
                turn = !turn;
            }
            for (long column = 0; column < width; column += BLOCK) {
                const bfloat16 *shares = work->shares + group * size + column * DEPTH;
                multiply(sums + which * size + column, width, (Pair){tiles, tiles + TILE, 2 * TILE},
                         (Pair){shares, shares + TILE, size}, GROUP, group > 0);
            }
        }
}

/* The same, from the e that was kept for the positions of this piece.

   The next tiles are prefetched part by part; prefetching all of them at once would stall. */
AVX512 static void gather_kept(const Softmax *work, long items, long count, float *sums)
{
    const long width = work->width, size = BLOCK * width, part = GROUP * 2 * TILE * BLOCK / width;
    for (long group = work->first; group < work->last; group += GROUP)
        for (long which = 0; which < count; which++) {
            const int wraps = which + 1 == count;
            const bfloat16 *tiles = kept_tiles(work, items + which, group);
            const bfloat16 *next =
                kept_tiles(work, items + (wraps ? 0 : which + 1), group + (wraps ? GROUP : 0));
            for (long column = 0; column < width; column += BLOCK) {
                const bfloat16 *shares = work->shares + group * size + column * DEPTH;
                for (long at = column / BLOCK * part; at < (column / BLOCK + 1) * part; at += DEPTH)
                    _mm_prefetch((const char *)(next + at), _MM_HINT_T0);
                multiply(sums + which * size + column, width, (Pair){tiles, tiles + TILE, 2 * TILE},
                         (Pair){shares, shares + TILE, size}, GROUP, group > work->first);
            }
        }
}

/* Write values, or add them to those already written. */
AVX512 static void put(float *to, const float *values, long count, int add)
{
    for (long at = 0; at < count; at++)
        to[at] = add ? to[at] + values[at] : values[at];
}

AVX512 void take_items(void *given, long thread, long size)
{
    const Softmax *work = given;
    const long all = blocks_of(work->items), width = work->width;
    const long begin = share_start(all, thread, size), end = share_start(all, thread + 1, size);
    float *sums = work->gathered + thread * GROUP * BLOCK * width;
    begin_tiles();
    for (long block = begin; block < end; block += GROUP) {
        const long count = end - block < GROUP ? end - block : GROUP;
        const long first = block * BLOCK, left = work->items - first;
        (work->kept ? gather_kept : gather)(work, block, count, sums);
        put(work->table_grad + first * width, sums,
            (left < count * BLOCK ? left : count * BLOCK) * width, work->first > 0);
    }
    end_tiles();
    if (work->last < grouped(work->positions))
        return;
    for (long position = 0; position < work->positions; position++) {
        const long target = work->targets[position];
        if (target < begin * BLOCK || target >= end * BLOCK)
            continue;
        float *grad = work->table_grad + target * width;
        for (long at = 0; at < width; at++)
            grad[at] -= work->hidden[position * width + at];
    }
}

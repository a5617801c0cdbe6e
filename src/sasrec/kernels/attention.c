/* Attention: what each position takes from its window; see attention.h. */

#include "attention.h"

#include <string.h>

/* Factors for the queries of a block, out of the sums of their exponentials; 0 for padding. */
static int invert(const float *sums, float kept, long count, float *inverse, float *factors)
{
    int safe = 1;
    for (long place = 0; place < BLOCK; place++) {
        safe &= place >= count || is_safe(sums[place]);
        inverse[place] = place < count ? 1 / sums[place] : 0;
        factors[place] = inverse[place] / kept;
    }
    return safe;
}

/* The kept weights of a block of keys and one of queries, as right tiles [keys, queries]; and add
   all weights to the queries' sums. */
LANES static void weigh(const float *scores, const BiasView *bias, const uint32_t *bits,
                        long blocks, long keys, long queries, float scale, bfloat16 *tiles,
                        float *sums)
{
    for (long half = 0; half < BLOCK; half += SIDE) {
        __m512 sum = _mm512_load_ps(sums + half);
        for (long pair = 0; pair < BLOCK; pair += 2) {
            __m512 both[2];
            for (long odd = 0; odd < 2; odd++) {
                const long key = keys * BLOCK + pair + odd;
                const __mmask16 kept = (__mmask16)(bits[key * blocks + queries] >> half);
                const __m512 power = weight(scores, bias, key, queries * BLOCK + half, scale);
                sum = _mm512_add_ps(sum, power);
                both[odd] = _mm512_maskz_mov_ps(kept, power);
            }
            _mm512_store_si512(tiles + half / SIDE * TILE + pair / 2 * DEPTH,
                               interleaved(both[0], both[1]));
        }
        _mm512_store_ps(sums + half, sum);
    }
}

LANES static int attend(const Attention *work, long row, long head, Room room)
{
    const Matrix query = projected(work, row, head, 0), key = projected(work, row, head, 1);
    const Matrix value = projected(work, row, head, 2), out = result(work, work->output, row, head);
    const long blocks = query.blocks, depth = query.depth, size = blocks * BLOCK * depth;
    const float scale = 1 / __builtin_sqrtf((float)query.width);
    bfloat16 *keys = take_narrow(&room, size), *queries = take_narrow(&room, size);
    bfloat16 *values = take_narrow(&room, size), *turned = take_narrow(&room, size);
    bfloat16 *weights = take_narrow(&room, blocks * 2 * TILE);
    float *mixed = take_floats(&room, BLOCK * depth);
    float *scores = take_floats(&room, BLOCK * BLOCK), *sums = take_floats(&room, BLOCK);
    float *inverse = work->inverse + (row * work->heads + head) * blocks * BLOCK, factors[BLOCK];
    const BiasView bias = view_bias(&work->bias, row, head, work->heads, work->columns, &room);
    int safe = 1;
    as_left(key, keys);
    as_right(query, queries);
    as_right(value, values);
    as_turned(value, values, turned);
    for (long at = 0; at < blocks; at++) {
        memset(sums, 0, BLOCK * sizeof(float));
        for (long before = 0; before <= at; before++) {
            block_product(keys, queries, before, at, depth, scores);
            weigh(scores, &bias, bits_of(work, row, head), blocks, before, at, scale,
                  weights + before * 2 * TILE, sums);
        }
        safe &= invert(sums, work->kept, query.count - at * BLOCK, inverse + at * BLOCK, factors);
        for (long side = 0; side < depth; side += BLOCK)
            multiply(mixed + side * BLOCK, BLOCK,
                     (Pair){turned + side * DEPTH, turned + side * DEPTH + TILE, BLOCK * depth},
                     (Pair){weights, weights + TILE, 2 * TILE}, at + 1, 0);
        write_turned(mixed, factors, out, at);
    }
    return safe;
}

long attention_room(const Attention *work)
{
    const Matrix shape = matrix(0, 0, work->columns, work->depth);
    const long blocks = shape.blocks, depth = shape.depth, size = blocks * BLOCK * depth;
    const long narrow = 8 * size + blocks * 4 * TILE + 2 * TILE;
    const long floats = size + BLOCK * depth + 2 * BLOCK * BLOCK + (blocks + 1) * BLOCK;
    return narrow * (long)sizeof(bfloat16) + floats * (long)sizeof(float) + 16 * ALIGNED +
           bias_room(work->columns);
}

LANES static void share(void *given, long member, long size)
{
    Attention *work = given;
    const long all = work->rows * work->heads;
    const Room room = room_of(work->room, attention_room(work), member);
    int safe = 1;
    begin_tiles();
    for (long at = begins(all, member, size); at < begins(all, member + 1, size); at++)
        safe &= attend(work, at / work->heads, at % work->heads, room);
    end_tiles();
    if (!safe)
        work->unsafe = 1;
}

/* Bytes to give to attention and to its gradient. */
EXPORT long sasrec_attend_room(long columns, long heads, long depth, long threads)
{
    const Attention work = {.columns = columns, .depth = depth};
    return room_for_all(attention_room(&work), threads) +
           room_for_all(heads * bias_sums(columns) * (long)sizeof(float), threads);
}

/* Returns 0, or 1 if exponentials were too large or too small and the output means nothing. */
EXPORT int sasrec_attend(const bfloat16 *projected, const uint32_t *bits, long rows, long columns,
                         long heads, long depth, float kept, const uint8_t *numbers,
                         const float *by_gap, const float *by_step, bfloat16 *output,
                         float *inverse, char *room, long threads)
{
    Attention work = {.projected = projected,
                      .bits = bits,
                      .rows = rows,
                      .columns = columns,
                      .heads = heads,
                      .depth = depth,
                      .kept = kept,
                      .output = output,
                      .inverse = inverse,
                      .bias = {numbers, by_gap, by_step},
                      .room = room};
    together(share, &work, threads);
    return work.unsafe;
}

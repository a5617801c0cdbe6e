/* The output of attention; see attention.h. */

#include "attention.h"

#include <string.h>

/* Compute 1 / Z and the factors 1 / (Z kept) for the queries of a block; 0 for padding. Returns
   whether all sums are safe. */
static int invert(const float *sums, float kept, long count, float *inverse, float *factors)
{
    int safe = 1;
    for (long index = 0; index < BLOCK; index++) {
        safe &= index >= count || is_safe(sums[index]);
        inverse[index] = index < count ? 1 / sums[index] : 0;
        factors[index] = inverse[index] / kept;
    }
    return safe;
}

/* Compute the kept weights of a block of keys and a block of queries, as right tiles
   [keys, queries], and add all weights to the sums of the queries. */
AVX512 static void weigh(const float *scores, const BiasView *bias, const uint32_t *bits,
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

AVX512 static int attend(const Attention *work, long row, long head, Workspace workspace)
{
    const Matrix query = projected(work, row, head, 0), key = projected(work, row, head, 1);
    const Matrix value = projected(work, row, head, 2), out = result(work, work->output, row, head);
    const long blocks = query.blocks, depth = query.depth, size = blocks * BLOCK * depth;
    const float scale = 1 / __builtin_sqrtf((float)query.width);
    bfloat16 *keys = take_narrow(&workspace, size), *queries = take_narrow(&workspace, size);
    bfloat16 *values = take_narrow(&workspace, size), *transposed = take_narrow(&workspace, size);
    bfloat16 *weights = take_narrow(&workspace, blocks * 2 * TILE);
    float *mixed = take_floats(&workspace, BLOCK * depth);
    float *scores = take_floats(&workspace, BLOCK * BLOCK), *sums = take_floats(&workspace, BLOCK);
    float *inverse = work->inverse + (row * work->heads + head) * blocks * BLOCK, factors[BLOCK];
    const BiasView bias = view_bias(&work->bias, row, head, work->heads, work->columns, &workspace);
    int safe = 1;
    as_left(key, keys);
    as_right(query, queries);
    as_right(value, values);
    as_transposed(value, values, transposed);
    for (long at = 0; at < blocks; at++) {
        memset(sums, 0, BLOCK * sizeof(float));
        for (long before = 0; before <= at; before++) {
            block_product(keys, queries, before, at, depth, scores);
            weigh(scores, &bias, bits_of(work, row, head), blocks, before, at, scale,
                  weights + before * 2 * TILE, sums);
        }
        safe &= invert(sums, work->kept, query.count - at * BLOCK, inverse + at * BLOCK, factors);
        for (long side = 0; side < depth; side += BLOCK)
            multiply(
                mixed + side * BLOCK, BLOCK,
                (Pair){transposed + side * DEPTH, transposed + side * DEPTH + TILE, BLOCK * depth},
                (Pair){weights, weights + TILE, 2 * TILE}, at + 1, 0);
        write_transposed(mixed, factors, out, at);
    }
    return safe;
}

long attention_bytes(const Attention *work)
{
    const Matrix shape = matrix(0, 0, work->columns, work->depth);
    const long blocks = shape.blocks, depth = shape.depth, size = blocks * BLOCK * depth;
    const long narrow = 8 * size + blocks * 4 * TILE + 2 * TILE;
    const long floats = size + BLOCK * depth + 2 * BLOCK * BLOCK + (blocks + 1) * BLOCK;
    return narrow * (long)sizeof(bfloat16) + floats * (long)sizeof(float) + 16 * ALIGNED +
           bias_bytes(work->columns);
}

AVX512 static void share(void *given, long thread, long size)
{
    Attention *work = given;
    const long all = work->rows * work->heads;
    const Workspace workspace = workspace_of(work->workspace, attention_bytes(work), thread);
    int safe = 1;
    begin_tiles();
    for (long at = share_start(all, thread, size); at < share_start(all, thread + 1, size); at++)
        safe &= attend(work, at / work->heads, at % work->heads, workspace);
    end_tiles();
    if (!safe)
        work->unsafe = 1;
}

/* Size in bytes of the workspace of sasrec_attend and sasrec_attend_back. */
EXPORT long sasrec_attend_workspace(long columns, long heads, long depth, long threads)
{
    const Attention work = {.columns = columns, .depth = depth};
    return workspace_bytes(attention_bytes(&work), threads) +
           workspace_bytes(heads * bias_sums(columns) * (long)sizeof(float), threads);
}

/* Returns 0, or 1 if exponentials were too large or too small; the output is then invalid. */
EXPORT int sasrec_attend(const bfloat16 *projected, const uint32_t *bits, long rows, long columns,
                         long heads, long depth, float kept, const uint8_t *numbers,
                         const float *by_gap, const float *by_step, bfloat16 *output,
                         float *inverse, char *workspace, long threads)
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
                      .workspace = workspace};
    run_in_pool(share, &work, threads);
    return work.unsafe;
}

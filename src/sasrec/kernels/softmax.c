/* The softmax over all items and its gradients, without storing all scores in memory.

   With e = exp(hidden . table[v]) and Z its sum over the items (see losses/full.py),

       loss             = sum over positions of log Z - hidden . table[target]
       d loss / hidden  = sum_v (e / Z) table[v] - table[target]
       d loss / table   = sum_p e (hidden / Z) - (hidden summed by target)

   Each thread first processes a share of the positions, to compute Z and the gradient of the
   states, then a share of the items, to compute the gradient of the table. Scores are computed for
   32 items and 32 positions at a time, with positions in the lanes of a register. With AMX, the
   second half computes e again. Without AMX, computing e takes longer than reading it from memory,
   so e is kept, for one piece of the positions at a time. */

#include "workspace.h"
#include "softmax.h"

#include <math.h>
#include <string.h>

/* Bytes of e in a piece, and the fewest blocks of positions in a piece, which may take more bytes:
   each piece reads and writes the gradient of the whole table. */
enum { KEPT = 1 << 24, FEWEST = 16 };

/* Number of blocks of positions in a piece. */
static long piece_of(long positions, long items)
{
    const long all = grouped(positions), one = blocks_of(items) * BLOCK * BLOCK * 2;
    const long fitting = KEPT / one > FEWEST ? KEPT / one / GROUP * GROUP : FEWEST;
    return has_amx || all < fitting ? all : fitting;
}

/* Number of values of e that are kept at a time. */
static long kept_of(long positions, long items)
{
    return has_amx ? 0 : piece_of(positions, items) * blocks_of(items) * BLOCK * BLOCK;
}

/* Size in bytes of the workspace of sasrec_softmax. */
EXPORT long sasrec_softmax_workspace(long positions, long items, long width, long threads)
{
    const long tiles =
        2 * (blocks_of(items) + grouped(positions)) * BLOCK * width + kept_of(positions, items);
    const long floats = grouped(positions) * BLOCK * (width + 1) + threads * GROUP * BLOCK * width;
    return tiles * (long)sizeof(bfloat16) + floats * (long)sizeof(float) +
           threads * (long)sizeof(double) + (9 + threads) * ALIGNED;
}

/* Left tiles of one block of 32 items: [items, width], and transposed, [width, items]. */
AVX512 static void pack_items(const Softmax *work, long block)
{
    const long width = work->width;
    bfloat16 *rows = work->rows + block * BLOCK * width;
    bfloat16 *columns = work->columns + block * BLOCK * width;
    for (long item = 0; item < BLOCK; item++) {
        const long number = block * BLOCK + item;
        const float *vector = work->table + number * width;
        for (long at = 0; at < width; at += DEPTH) {
            __m512 first = _mm512_setzero_ps(), second = first;
            if (number < work->items) {
                first = _mm512_loadu_ps(vector + at);
                second = _mm512_loadu_ps(vector + at + SIDE);
            }
            bfloat16 line[DEPTH] __attribute__((aligned(64)));
            _mm512_store_si512(line, narrowed(first, second));
            /* The tiles of a block are ordered by half of the items, then by depth. */
            bfloat16 *row = rows + item / SIDE * SIDE * width + at * SIDE + item % SIDE * DEPTH;
            memcpy(row, line, sizeof line);
            for (long k = 0; k < DEPTH; k++)
                columns[(at + k) * DEPTH + item] = line[k];
        }
    }
}

/* Right tiles [width, positions] of one block of 32 positions, multiplied by log2 e, so that
   exponentials of scores are powers of 2. */
AVX512 static void pack_states(const Softmax *work, long block)
{
    const long width = work->width;
    bfloat16 *states = work->states + block * BLOCK * width;
    for (long index = 0; index < BLOCK; index++) {
        const long position = block * BLOCK + index;
        bfloat16 *column = states + index / SIDE * SIDE * width + index % SIDE * 2;
        for (long at = 0; at < width; at += DEPTH) {
            __m512 first = _mm512_setzero_ps(), second = first;
            if (position < work->positions) {
                const float *state = work->hidden + position * width + at;
                const __m512 base = _mm512_set1_ps(LOG2_E);
                first = _mm512_mul_ps(_mm512_loadu_ps(state), base);
                second = _mm512_mul_ps(_mm512_loadu_ps(state + SIDE), base);
            }
            uint32_t pairs[SIDE] __attribute__((aligned(64)));
            _mm512_store_si512(pairs, narrowed(first, second));
            for (long k = 0; k < SIDE; k++)
                memcpy(column + at * SIDE + k * DEPTH, pairs + k, sizeof *pairs);
        }
    }
}

AVX512 static void pack(void *given, long thread, long size)
{
    const Softmax *work = given;
    const long items = blocks_of(work->items), positions = grouped(work->positions);
    for (long block = share_start(items, thread, size);
         block < share_start(items, thread + 1, size); block++)
        pack_items(work, block);
    for (long block = share_start(positions, thread, size);
         block < share_start(positions, thread + 1, size); block++)
        pack_states(work, block);
}

/* Returns the sum of the losses, and writes the gradients of that sum. Returns NaN if exponentials
   were too large or too small, and the gradients are then invalid. Returns minus infinity if a
   target is not an item. The width is a multiple of 32. */
EXPORT double sasrec_softmax(const float *hidden, const int64_t *targets, const float *table,
                             long positions, long items, long width, float *hidden_grad,
                             float *table_grad, char *given, long threads)
{
    Softmax work = {.hidden = hidden,
                    .table = table,
                    .targets = targets,
                    .positions = positions,
                    .items = items,
                    .width = width,
                    .hidden_grad = hidden_grad,
                    .table_grad = table_grad};
    Workspace workspace = workspace_of(given, 0, 0);
    for (long position = 0; position < positions; position++)
        if (targets[position] < 0 || targets[position] >= items)
            return -INFINITY;
    work.rows = take_narrow(&workspace, blocks_of(items) * BLOCK * width);
    work.columns = take_narrow(&workspace, blocks_of(items) * BLOCK * width);
    work.states = take_narrow(&workspace, grouped(positions) * BLOCK * width);
    work.shares = take_narrow(&workspace, grouped(positions) * BLOCK * width);
    work.mixed = take_floats(&workspace, grouped(positions) * BLOCK * width);
    work.sums = take_floats(&workspace, grouped(positions) * BLOCK);
    work.gathered = take_floats(&workspace, threads * GROUP * BLOCK * width);
    work.losses = take(&workspace, threads * (long)sizeof(double));
    const long kept = kept_of(positions, items), piece = piece_of(positions, items);
    work.kept = kept ? take_narrow(&workspace, kept) : NULL;
    for (long thread = 0; thread < threads; thread++)
        work.losses[thread] = 0;
    run_in_pool(pack, &work, threads);
    double loss = 0;
    for (; work.last < grouped(positions) && !isnan(loss); work.first = work.last) {
        work.last = work.first + piece;
        if (work.last > grouped(positions))
            work.last = grouped(positions);
        run_in_pool(take_positions, &work, threads);
        loss = 0;
        for (long thread = 0; thread < threads; thread++)
            loss += work.losses[thread];
        if (!isnan(loss))
            run_in_pool(take_items, &work, threads);
    }
    return loss;
}

/* The softmax over all items: definitions for its two halves. See softmax.c. */

#ifndef SASREC_SOFTMAX_H
#define SASREC_SOFTMAX_H

#include "lanes.h"
#include "thread_pool.h"

enum { GROUP = 4, CHUNK = 4 * GROUP }; /* blocks of items in one product, and in the cache */

typedef struct {
    const float *hidden, *table;
    const int64_t *targets;
    long positions, items, width;
    float *hidden_grad, *table_grad;
    bfloat16 *rows, *columns; /* the table as tiles of items, and as tiles of its transpose */
    bfloat16 *states,
        *shares;      /* right tiles of hidden log2 e, and of hidden / Z over pairs of positions */
    float *mixed;     /* [blocks of positions, width, 32] */
    float *sums;      /* Z, [positions rounded up] */
    float *gathered;  /* for each thread: the gradient of a group of blocks of items */
    double *losses;   /* for each thread */
    bfloat16 *kept;   /* e of a piece, left tiles by block of items and of positions; or null */
    long first, last; /* first block of positions of this piece, and the end */
} Softmax;

static inline long blocks_of(long count) { return (count + BLOCK - 1) / BLOCK; }

/* Number of blocks, rounded up to whole groups. */
static inline long grouped(long count) { return (blocks_of(count) + GROUP - 1) / GROUP * GROUP; }

/* Scores of a block of items (rows) and a block of positions (columns). */
static inline void score(const Softmax *work, long items, long positions, float *scores)
{
    const long width = work->width, half = SIDE * width;
    const bfloat16 *rows = work->rows + items * BLOCK * width;
    const bfloat16 *states = work->states + positions * BLOCK * width;
    multiply(scores, BLOCK, (Pair){rows, rows + half, TILE}, (Pair){states, states + half, TILE},
             width / DEPTH, 0);
}

/* Prefetch 1/32 of two blocks of tiles; memory is idle while exponentials are computed. */
AVX512 static inline void fetch(const bfloat16 *first, const bfloat16 *second, long width, long row)
{
    for (long at = row * width; at < (row + 1) * width; at += DEPTH) {
        _mm_prefetch((const char *)(first + at), _MM_HINT_T0);
        _mm_prefetch((const char *)(second + at), _MM_HINT_T0);
    }
}

/* Where the left tiles of e are kept; null if they are not kept. */
static inline bfloat16 *kept_tiles(const Softmax *work, long items, long positions)
{
    const long piece = work->last - work->first;
    return work->kept ? work->kept + (items * piece + positions - work->first) * 2 * TILE : NULL;
}

/* Compute Z and the gradients of the states, for a thread's share of the positions of a piece. */
void take_positions(void *work, long thread, long size);

/* Compute what the positions of a piece add to the gradients of a thread's share of the items. */
void take_items(void *work, long thread, long size);

#endif

/* The scan, compiled for each kind of processor by the files that include this one. They define
   TARGET, SCAN, and HITS(codes, scales, groups, packed, wide, starts, limits, hits), which sets
   hits[j] to the items of a block whose scale * (code . code of state j) is above limits[j]. */

#include "scan.h"

#include <math.h>

/* The exact score: a sum of exact products in double precision, always in this order. */
TARGET static inline float exact_score(const double *state, const float *vector, long width)
{
    double lanes[LANES] = {0};
    long i = 0;
    for (; i + LANES <= width; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            lanes[lane] += state[i + lane] * (double)vector[i + lane];
    for (int lane = 0; i + lane < width; lane++)
        lanes[lane] += state[i + lane] * (double)vector[i + lane];
    for (int half = LANES / 2; half; half /= 2)
        for (int lane = 0; lane < half; lane++)
            lanes[lane] += lanes[lane + half];
    return (float)lanes[0];
}

TARGET static inline int is_worse(const Heap *heap, long one, long other)
{
    return heap->scores[one] < heap->scores[other] ||
           (heap->scores[one] == heap->scores[other] && heap->items[one] > heap->items[other]);
}

TARGET static inline void swap(Heap *heap, long one, long other)
{
    float score = heap->scores[one];
    int64_t item = heap->items[one];
    heap->scores[one] = heap->scores[other];
    heap->items[one] = heap->items[other];
    heap->scores[other] = score;
    heap->items[other] = item;
}

TARGET static void sink(Heap *heap, long place)
{
    for (;;) {
        long child = 2 * place + 1;
        if (child >= heap->count)
            return;
        if (child + 1 < heap->count && is_worse(heap, child + 1, child))
            child++;
        if (!is_worse(heap, child, place))
            return;
        swap(heap, place, child);
        place = child;
    }
}

/* Adds an item whose number is larger than those in the heap. */
TARGET static inline void offer(State *state, int64_t item, float score)
{
    Heap *heap = &state->heap;
    if (heap->count < heap->most) {
        long place = heap->count++;
        heap->scores[place] = score;
        heap->items[place] = item;
        for (; place && is_worse(heap, place, (place - 1) / 2); place = (place - 1) / 2)
            swap(heap, place, (place - 1) / 2);
    } else if (score > heap->scores[0]) {
        heap->scores[0] = score;
        heap->items[0] = item;
        sink(heap, 0);
    } else
        return;
    if (heap->count == heap->most)
        state->threshold = (float)((double)heap->scores[0] * state->scale / state->step);
}

static inline int is_seen(const State *state, int64_t item)
{
    long low = 0, high = state->n_seen;
    while (low < high) {
        long middle = (low + high) / 2;
        if (state->seen[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    return low < state->n_seen && state->seen[low] == item;
}

TARGET static inline void score_hits(Scan *scan, State *state, long block, uint32_t hits)
{
    for (; hits; hits &= hits - 1) {
        long item = block * BLOCK + __builtin_ctz(hits);
        if (item >= scan->n_items || !scan->allowed[item] || is_seen(state, item))
            continue;
        scan->n_scored++;
        offer(state, item, exact_score(state->exact, scan->vectors + item * scan->width,
                                       scan->width));
    }
}

TARGET static inline void scan_block(Scan *scan, long block, long tile)
{
    const Codes *codes = &scan->codes;
    long groups = scan->groups, left = scan->n_states - tile * TILE;
    int n = left < TILE ? (int)left : TILE;
    State *states = scan->states + tile * TILE;
    float limits[TILE] = {0};
    uint32_t hits[TILE];
    for (int j = 0; j < n; j++)
        limits[j] = states[j].threshold - (states[j].rest_factor * codes->rests[block] +
                                           states[j].norm_factor * codes->norms[block] +
                                           states[j].slack);
    HITS(codes->codes + block * groups * BLOCK * GROUP, codes->scales + block * BLOCK, groups,
         scan->packed + tile * groups * TILE, scan->wide + tile * groups * TILE,
         scan->starts + tile * TILE, limits, hits, n);
    for (int j = 0; j < n; j++)
        if (hits[j])
            score_hits(scan, states + j, block, hits[j]);
}

/* Bytes of codes that are compared with all states before the next ones are read. */
enum { NEAR = 16384 };

TARGET void SCAN(Scan *scan)
{
    long tiles = (scan->n_states + TILE - 1) / TILE;
    long size = NEAR / (scan->groups * BLOCK * GROUP);
    size = size < 1 ? 1 : size;
    for (long begin = scan->begin; begin < scan->end; begin += size) {
        long end = begin + size < scan->end ? begin + size : scan->end;
        for (long tile = 0; tile < tiles; tile++)
            for (long block = begin; block < end; block++)
                scan_block(scan, block, tile);
    }
}

/* The softmax over all items and its gradients, without ever holding scores in memory.

   With e = exp(hidden . table[v]) and Z its sum over the items (see losses/full.py),

       loss             = sum over positions of log Z - hidden . table[target]
       d loss / hidden  = sum_v (e / Z) table[v] - table[target]
       d loss / table   = sum_p e (hidden / Z) - (hidden added up by target)

   Each thread first takes a share of the positions for Z and the gradient of the states, then a
   share of the items for the gradient of the table. Scores of 32 items and 32 positions exist at a
   time, positions in the lanes of a register. With AMX, the second half computes e again. Where
   products take longer than memory, e is kept instead, for a piece of the positions at a time. */

#include "lanes.h"
#include "room.h"
#include "team.h"

#include <math.h>
#include <string.h>

enum { GROUP = 4, CHUNK = 4 * GROUP }; /* blocks of items: in one product, in the cache */
enum {
    KEPT = 1 << 24,
    FEWEST = 16
}; /* bytes of e in a piece; blocks of positions it has if these
      take more, as each piece passes over the table's gradient */

typedef struct {
    const float *hidden, *table;
    const int64_t *targets;
    long positions, items, width;
    float *hidden_grad, *table_grad;
    bfloat16 *rows, *columns; /* the table: tiles of items, and of its transpose */
    bfloat16 *states,
        *shares;      /* right tiles of hidden log2 e, and of hidden / Z over pairs of positions */
    float *mixed;     /* [blocks of positions, width, 32] */
    float *sums;      /* Z, [positions rounded up] */
    float *gathered;  /* of each thread: the gradient of a block of items */
    double *losses;   /* of each thread */
    bfloat16 *kept;   /* e of a piece: left tiles by block of items and of positions; or none */
    long first, last; /* blocks of positions of this piece */
} Work;

static long blocks_of(long count) { return (count + BLOCK - 1) / BLOCK; }

/* Blocks filled up to whole groups. */
static long grouped(long count) { return (blocks_of(count) + GROUP - 1) / GROUP * GROUP; }

/* Blocks of positions in a piece. */
static long piece_of(long positions, long items)
{
    const long all = grouped(positions), one = blocks_of(items) * BLOCK * BLOCK * 2;
    const long fitting = KEPT / one > FEWEST ? KEPT / one / GROUP * GROUP : FEWEST;
    return products_are_cheap || all < fitting ? all : fitting;
}

/* Values of e that are kept at a time. */
static long kept_of(long positions, long items)
{
    return products_are_cheap ? 0 : piece_of(positions, items) * blocks_of(items) * BLOCK * BLOCK;
}

/* Bytes that sasrec_softmax needs to work in. */
EXPORT long sasrec_softmax_room(long positions, long items, long width, long threads)
{
    const long tiles =
        2 * (blocks_of(items) + grouped(positions)) * BLOCK * width + kept_of(positions, items);
    const long floats = grouped(positions) * BLOCK * (width + 1) + threads * GROUP * BLOCK * width;
    return tiles * (long)sizeof(bfloat16) + floats * (long)sizeof(float) +
           threads * (long)sizeof(double) + (9 + threads) * ALIGNED;
}

/* Tiles of one block of 32 items: as left factor [items, width], and transposed [width, items]. */
LANES static void pack_items(const Work *work, long block)
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
            /* Tiles of a block: first by half of the items, then by depth. */
            bfloat16 *row = rows + item / SIDE * SIDE * width + at * SIDE + item % SIDE * DEPTH;
            memcpy(row, line, sizeof line);
            for (long k = 0; k < DEPTH; k++)
                columns[(at + k) * DEPTH + item] = line[k];
        }
    }
}

/* Right tiles [width, positions] of one block of 32 positions, for scores to base 2. */
LANES static void pack_states(const Work *work, long block)
{
    const long width = work->width;
    bfloat16 *states = work->states + block * BLOCK * width;
    for (long place = 0; place < BLOCK; place++) {
        const long position = block * BLOCK + place;
        bfloat16 *column = states + place / SIDE * SIDE * width + place % SIDE * 2;
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

LANES static void pack(void *given, long member, long size)
{
    const Work *work = given;
    const long items = blocks_of(work->items), positions = grouped(work->positions);
    for (long block = begins(items, member, size); block < begins(items, member + 1, size); block++)
        pack_items(work, block);
    for (long block = begins(positions, member, size); block < begins(positions, member + 1, size);
         block++)
        pack_states(work, block);
}

/* Scores of a block of items (rows) and one of positions (columns). */
static void score(const Work *work, long items, long positions, float *scores)
{
    const long width = work->width, half = SIDE * width;
    const bfloat16 *rows = work->rows + items * BLOCK * width;
    const bfloat16 *states = work->states + positions * BLOCK * width;
    multiply(scores, BLOCK, (Pair){rows, rows + half, TILE}, (Pair){states, states + half, TILE},
             width / DEPTH, 0);
}

/* While exponentials are found, memory is idle: have a 32nd of two blocks of tiles brought. */
LANES static inline void fetch(const bfloat16 *first, const bfloat16 *second, long width, long row)
{
    for (long at = row * width; at < (row + 1) * width; at += DEPTH) {
        _mm_prefetch((const char *)(first + at), _MM_HINT_T0);
        _mm_prefetch((const char *)(second + at), _MM_HINT_T0);
    }
}

/* Turn scores of a block into right tiles of e [items, positions], and left tiles to keep if there
   is room for them, and add e to Z. */
LANES static inline void exponentiate(const float *scores, long filled, bfloat16 *tiles,
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

/* Where left tiles of e are kept, if they are. */
static inline bfloat16 *kept_tiles(const Work *work, long items, long positions)
{
    const long piece = work->last - work->first;
    return work->kept ? work->kept + (items * piece + positions - work->first) * 2 * TILE : NULL;
}

/* Z and the unscaled gradient of the states for a block of positions and some blocks of items.

   Scores of the next block are asked for before those of this one are looked at: products and
   exponentials are then computed side by side. */
LANES static void mix(const Work *work, long positions, long begin, long end)
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

/* The loss, the gradient of a state, and its share in the table's gradient: hidden / Z. */
LANES static double finish(const Work *work, long block)
{
    const long width = work->width;
    const float *mixed = work->mixed + block * width * BLOCK, *sums = work->sums + block * BLOCK;
    bfloat16 *shares = work->shares + block * BLOCK * width;
    double loss = 0;
    for (long place = 0; place < BLOCK; place++) {
        const long position = block * BLOCK + place;
        const int real = position < work->positions;
        const float inverse = real ? 1 / sums[place] : 0;
        /* Tiles by half of the width; in each, pairs of positions. */
        bfloat16 *column = shares + place / 2 * DEPTH + place % 2;
        if (!real) {
            for (long at = 0; at < width; at++)
                column[at / SIDE * TILE + at % SIDE * 2] = 0;
            continue;
        }
        const float *state = work->hidden + position * width;
        const float *goal = work->table + work->targets[position] * width;
        float *grad = work->hidden_grad + position * width, product = 0;
        for (long at = 0; at < width; at++) {
            product += state[at] * goal[at];
            grad[at] = mixed[at * BLOCK + place] * inverse - goal[at];
            column[at / SIDE * TILE + at % SIDE * 2] = narrow_one(state[at] * inverse);
        }
        loss += log((double)sums[place]) - product;
    }
    return loss;
}

static int safe(const Work *work, long block)
{
    for (long place = 0; place < BLOCK; place++) {
        if (!is_safe(work->sums[block * BLOCK + place]))
            return 0;
    }
    return 1;
}

LANES static void take_positions(void *given, long member, long size)
{
    const Work *work = given;
    const long all = work->last - work->first, items = blocks_of(work->items);
    const long begin = work->first + begins(all, member, size);
    const long end = work->first + begins(all, member + 1, size);
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
    work->losses[member] += loss;
}

/* e of a block of items and one of positions as left tiles [items, positions]. */
LANES static inline void repeat(const float *scores, bfloat16 *tiles, const bfloat16 *next,
                                const bfloat16 *needed, long width)
{
    for (long row = 0; row < BLOCK; row++) {
        fetch(next, needed, width, row);
        const __m512 first = power_of_two(_mm512_load_ps(scores + row * BLOCK));
        const __m512 second = power_of_two(_mm512_load_ps(scores + row * BLOCK + SIDE));
        _mm512_store_si512(tiles + row / SIDE * TILE + row % SIDE * DEPTH, narrowed(first, second));
    }
}

/* The gradients of some blocks of items, but for what their own positions take off.

   A group of positions is taken for all of these blocks, as it then comes from memory once. */
LANES static void gather(const Work *work, long items, long count, float *sums)
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

/* The same from what was kept, for the positions of this piece.

   The next tiles are asked for a part at a time: all at once, they would be waited for. */
LANES static void gather_kept(const Work *work, long items, long count, float *sums)
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

/* Write the first values, or add to them. */
LANES static void put(float *to, const float *values, long count, int add)
{
    for (long at = 0; at < count; at++)
        to[at] = add ? to[at] + values[at] : values[at];
}

LANES static void take_items(void *given, long member, long size)
{
    const Work *work = given;
    const long all = blocks_of(work->items), width = work->width;
    const long begin = begins(all, member, size), end = begins(all, member + 1, size);
    float *sums = work->gathered + member * GROUP * BLOCK * width;
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

/* Returns the sum of the losses, and writes the gradients of that sum; NaN if exponentials were too
   large or too small, in which case gradients mean nothing; minus infinity if a target is no item.
   The width is a multiple of 32. */
EXPORT double sasrec_softmax(const float *hidden, const int64_t *targets, const float *table,
                             long positions, long items, long width, float *hidden_grad,
                             float *table_grad, char *given, long threads)
{
    Work work = {.hidden = hidden,
                 .table = table,
                 .targets = targets,
                 .positions = positions,
                 .items = items,
                 .width = width,
                 .hidden_grad = hidden_grad,
                 .table_grad = table_grad};
    Room room = room_of(given, 0, 0);
    for (long position = 0; position < positions; position++)
        if (targets[position] < 0 || targets[position] >= items)
            return -INFINITY;
    work.rows = take_narrow(&room, blocks_of(items) * BLOCK * width);
    work.columns = take_narrow(&room, blocks_of(items) * BLOCK * width);
    work.states = take_narrow(&room, grouped(positions) * BLOCK * width);
    work.shares = take_narrow(&room, grouped(positions) * BLOCK * width);
    work.mixed = take_floats(&room, grouped(positions) * BLOCK * width);
    work.sums = take_floats(&room, grouped(positions) * BLOCK);
    work.gathered = take_floats(&room, threads * GROUP * BLOCK * width);
    work.losses = take(&room, threads * (long)sizeof(double));
    const long kept = kept_of(positions, items), piece = piece_of(positions, items);
    work.kept = kept ? take_narrow(&room, kept) : NULL;
    for (long member = 0; member < threads; member++)
        work.losses[member] = 0;
    together(pack, &work, threads);
    double loss = 0;
    for (; work.last < grouped(positions) && !isnan(loss); work.first = work.last) {
        work.last = work.first + piece;
        if (work.last > grouped(positions))
            work.last = grouped(positions);
        together(take_positions, &work, threads);
        loss = 0;
        for (long member = 0; member < threads; member++)
            loss += work.losses[member];
        if (!isnan(loss))
            together(take_items, &work, threads);
    }
    return loss;
}

/* Causal attention with dropout, and its gradient, one window and head at a time.

   With e = exp(scale query . key), zero towards the future, Z its sum over the keys, m the mask (0 or
   1 / kept) and g the gradient of the output,

       output  = sum over keys of m e value / Z
       d value = sum over queries of m e g / Z
       error   = e (m (g . value) - g . output) / Z
       d query = scale sum over keys of error key,    d key = scale sum over queries of error query

   Scores stand with a key in each row and queries in the lanes, so that nothing is summed across
   lanes. Windows are filled up to a multiple of 32 with zeros; a key of padding stands behind every
   query and is never looked at. */

#include "forms.h"
#include "room.h"
#include "team.h"

#include <string.h>

static const float SAFE_SUM = 1e30f;

typedef struct {
    const bfloat16 *projected; /* [rows, columns, 3, heads, depth] */
    const uint32_t *bits;      /* [rows, heads, padded keys, padded queries / 32], 1 where kept */
    long rows, columns, heads, depth;
    float kept; /* probability */
    bfloat16 *output; /* [rows, columns, heads, depth] */
    float *inverse;   /* 1 / Z, [rows, heads, padded queries] */
    const bfloat16 *grad;
    bfloat16 *projected_grad;
    char *room;
    int unsafe;
} Work;

static Matrix part(const Work *work, const bfloat16 *values, long row, long stride, long offset)
{
    return (Matrix){values + row * work->columns * stride + offset, stride, work->columns,
                    (work->columns + BLOCK - 1) / BLOCK, work->depth};
}

static Matrix projected(const Work *work, long row, long head, long which)
{
    const long width = work->heads * work->depth;
    return part(work, work->projected, row, 3 * width, which * width + head * work->depth);
}

static Matrix result(const Work *work, const bfloat16 *values, long row, long head)
{
    return part(work, values, row, work->heads * work->depth, head * work->depth);
}

/* The exponential of 16 scores of a key, zero where queries come before it. */
LANES static inline __m512 weight(const float *scores, long key, long half, int diagonal, float scale)
{
    const __m512 score = _mm512_load_ps(scores + key * BLOCK + half * SIDE);
    const __m512 power = power_of_two(_mm512_mul_ps(score, _mm512_set1_ps(scale * LOG2_E)));
    const uint32_t after = diagonal ? ~0u << key : ~0u;
    return _mm512_maskz_mov_ps((__mmask16)(after >> half * SIDE), power);
}

/* Write [depth, 32 positions], times a factor for each position, as rows of bfloat16. */
LANES static void write_turned(const float *values, const float *factors, Matrix to, long block)
{
    for (long half = 0; half < 2; half++)
        for (long at = 0; at < to.depth; at += SIDE) {
            const __m512 factor = _mm512_loadu_ps(factors + half * SIDE);
            __m512i rows[SIDE];
            for (long row = 0; row < SIDE; row++)
                rows[row] = _mm512_castps_si512(_mm512_mul_ps(
                    factor, _mm512_load_ps(values + (at + row) * BLOCK + half * SIDE)));
            transpose(rows);
            for (long row = 0; row < SIDE; row++) {
                const long place = block * BLOCK + half * SIDE + row;
                if (place < to.count)
                    store_narrow((bfloat16 *)to.values + place * to.stride + at,
                                 _mm512_castsi512_ps(rows[row]));
            }
        }
}

/* Factors for the queries of a block, out of the sums of their exponentials; 0 for padding. */
static int invert(const float *sums, float kept, long count, float *inverse, float *factors)
{
    int safe = 1;
    for (long place = 0; place < BLOCK; place++) {
        safe &= place >= count || (sums[place] > 1 / SAFE_SUM && sums[place] < SAFE_SUM);
        inverse[place] = place < count ? 1 / sums[place] : 0;
        factors[place] = inverse[place] / kept;
    }
    return safe;
}

LANES static int attend(const Work *work, long row, long head, Room room)
{
    const Matrix query = projected(work, row, head, 0), key = projected(work, row, head, 1);
    const Matrix value = projected(work, row, head, 2), out = result(work, work->output, row, head);
    const long blocks = query.blocks, depth = work->depth, size = blocks * BLOCK * depth;
    const float scale = 1 / __builtin_sqrtf((float)depth);
    bfloat16 *keys = take_narrow(&room, size), *queries = take_narrow(&room, size), *values = take_narrow(&room, size);
    bfloat16 *turned = take_narrow(&room, size), *weights = take_narrow(&room, blocks * 2 * TILE);
    float *mixed = take_floats(&room, BLOCK * depth);
    float *scores = take_floats(&room, BLOCK * BLOCK);
    const long which = row * work->heads + head;
    const uint32_t *bits = work->bits + which * blocks * BLOCK * blocks;
    int safe = 1;
    as_left(key, keys);
    as_right(query, queries);
    as_right(value, values);
    as_turned(value, values, turned);
    for (long at = 0; at < blocks; at++) {
        __m512 sums[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
        for (long before = 0; before <= at; before++) {
            block_product(keys, queries, before, at, depth, scores);
            bfloat16 *tile = weights + before * 2 * TILE;
            for (long pair = 0; pair < BLOCK; pair += 2)
                for (long half = 0; half < 2; half++) {
                    __m512 both[2];
                    for (long odd = 0; odd < 2; odd++) {
                        const uint32_t mask = bits[(before * BLOCK + pair + odd) * blocks + at];
                        both[odd] = weight(scores, pair + odd, half, at == before, scale);
                        sums[half] = _mm512_add_ps(sums[half], both[odd]);
                        both[odd] =
                            _mm512_maskz_mov_ps((__mmask16)(mask >> half * SIDE), both[odd]);
                    }
                    _mm512_store_si512(tile + half * TILE + pair / 2 * DEPTH,
                                       interleaved(both[0], both[1]));
                }
        }
        float added[BLOCK] __attribute__((aligned(64))), factors[BLOCK];
        _mm512_store_ps(added, sums[0]);
        _mm512_store_ps(added + SIDE, sums[1]);
        safe &= invert(added, work->kept, query.count - at * BLOCK,
                       work->inverse + (which * blocks + at) * BLOCK, factors);
        for (long side = 0; side < depth; side += BLOCK)
            multiply(mixed + side * BLOCK, BLOCK,
                     (Pair){turned + side * DEPTH, turned + side * DEPTH + TILE, BLOCK * depth},
                     (Pair){weights, weights + TILE, 2 * TILE}, at + 1, 0);
        write_turned(mixed, factors, out, at);
    }
    return safe;
}

/* The gradient of the output, scaled by 1 / (Z kept), and what all errors of a query share. */
LANES static void scale_gradient(const Work *work, long row, long head, Matrix scaled, float *along)
{
    const Matrix grad = result(work, work->grad, row, head);
    const Matrix out = result(work, work->output, row, head);
    const float *inverse = work->inverse + (row * work->heads + head) * grad.blocks * BLOCK;
    for (long place = 0; place < grad.count; place++) {
        __m512 sum = _mm512_setzero_ps();
        const __m512 factor = _mm512_set1_ps(inverse[place] / work->kept);
        for (long at = 0; at < grad.depth; at += SIDE) {
            const __m512 value = widened(grad.values + place * grad.stride + at);
            sum = _mm512_fmadd_ps(value, widened(out.values + place * out.stride + at), sum);
            store_narrow((bfloat16 *)scaled.values + place * scaled.stride + at,
                         _mm512_mul_ps(value, factor));
        }
        along[place] = _mm512_reduce_add_ps(sum) * inverse[place];
    }
    for (long place = grad.count; place < grad.blocks * BLOCK; place++)
        along[place] = 0;
}

LANES static void go_back(const Work *work, long row, long head, Room room)
{
    const Matrix query = projected(work, row, head, 0), key = projected(work, row, head, 1);
    const Matrix value = projected(work, row, head, 2);
    const long blocks = query.blocks, depth = work->depth, size = blocks * BLOCK * depth;
    const float scale = 1 / __builtin_sqrtf((float)depth);
    const Matrix grad = {take_narrow(&room, size), depth, query.count, blocks, depth};
    bfloat16 *keys = take_narrow(&room, size), *values = take_narrow(&room, size), *queries = take_narrow(&room, size);
    bfloat16 *grads = take_narrow(&room, size), *paired_queries = take_narrow(&room, size);
    bfloat16 *paired_grads = take_narrow(&room, size), *turned = take_narrow(&room, size);
    bfloat16 *weights = take_narrow(&room, blocks * 2 * TILE), *errors = take_narrow(&room, blocks * 2 * TILE);
    bfloat16 *paired_errors = take_narrow(&room, 2 * TILE);
    float *scores = take_floats(&room, BLOCK * BLOCK);
    float *changes = take_floats(&room, BLOCK * BLOCK);
    float *sums = take_floats(&room, BLOCK * depth);
    float *query_sums = take_floats(&room, size);
    float *along = take_floats(&room, blocks * BLOCK), scales[BLOCK];
    const uint32_t *bits = work->bits + (row * work->heads + head) * blocks * BLOCK * blocks;
    const long width = work->heads * depth;
    Matrix to = part(work, work->projected_grad, row, 3 * width, head * depth);
    scale_gradient(work, row, head, grad, along);
    as_left(key, keys);
    as_left(value, values);
    as_right(query, queries);
    as_right(grad, grads);
    as_paired(query, paired_queries);
    as_paired(grad, paired_grads);
    as_right(key, (bfloat16 *)query_sums);
    as_turned(key, (bfloat16 *)query_sums, turned);
    memset(query_sums, 0, (size_t)size * sizeof(float));
    for (long before = 0; before < blocks; before++) {
        for (long at = before; at < blocks; at++) {
            block_product(keys, queries, before, at, depth, scores);
            block_product(values, grads, before, at, depth, changes);
            for (long pair = 0; pair < BLOCK; pair += 2)
                for (long half = 0; half < 2; half++) {
                    const __m512 shared = _mm512_load_ps(along + at * BLOCK + half * SIDE);
                    __m512 both[2];
                    for (long odd = 0; odd < 2; odd++) {
                        const long place = pair + odd;
                        const __mmask16 mask =
                            (__mmask16)(bits[(before * BLOCK + place) * blocks + at] >> half * SIDE);
                        const __m512 power = weight(scores, place, half, at == before, scale);
                        const __m512 change = _mm512_maskz_mov_ps(
                            mask, _mm512_load_ps(changes + place * BLOCK + half * SIDE));
                        both[odd] = _mm512_mul_ps(power, _mm512_sub_ps(change, shared));
                        const long here = at * 2 * TILE + place / SIDE * TILE +
                                          place % SIDE * DEPTH + half * SIDE;
                        store_narrow(weights + here, _mm512_maskz_mov_ps(mask, power));
                        store_narrow(errors + here, both[odd]);
                    }
                    _mm512_store_si512(paired_errors + half * TILE + pair / 2 * DEPTH,
                                       interleaved(both[0], both[1]));
                }
            for (long side = 0; side < depth; side += BLOCK) {
                const bfloat16 *left = turned + before * BLOCK * depth + side * DEPTH;
                multiply(query_sums + at * BLOCK * depth + side * BLOCK, BLOCK,
                         (Pair){left, left + TILE, 0},
                         (Pair){paired_errors, paired_errors + TILE, 0}, 1, 1);
            }
        }
        const struct {
            const bfloat16 *left, *right;
            float factor;
            long which;
        } ends[] = {{errors, paired_queries, scale, 1}, {weights, paired_grads, 1, 2}};
        for (int end = 0; end < 2; end++) {
            const bfloat16 *left = ends[end].left + before * 2 * TILE;
            for (long side = 0; side < depth; side += BLOCK) {
                const bfloat16 *right = ends[end].right + before * BLOCK * depth + side * DEPTH;
                multiply(sums + side, depth, (Pair){left, left + TILE, 2 * TILE},
                         (Pair){right, right + TILE, BLOCK * depth}, blocks - before, 0);
            }
            Matrix here = to;
            here.values += ends[end].which * width;
            write_rows(sums, ends[end].factor, here, before);
        }
    }
    for (long place = 0; place < BLOCK; place++)
        scales[place] = scale;
    for (long at = 0; at < blocks; at++)
        write_turned(query_sums + at * BLOCK * depth, scales, to, at);
}

/* Bytes that one window and head need, at most. */
static long room_for(long columns, long depth)
{
    const long blocks = (columns + BLOCK - 1) / BLOCK, size = blocks * BLOCK * depth;
    const long narrow = 8 * size + blocks * 4 * TILE + 2 * TILE;
    const long floats = size + BLOCK * depth + 2 * BLOCK * BLOCK + blocks * BLOCK;
    return narrow * (long)sizeof(bfloat16) + floats * (long)sizeof(float) + 16 * ALIGNED;
}

/* Bytes to give to either of the functions below. */
long sasrec_attend_room(long columns, long depth, long threads)
{
    return room_for_all(room_for(columns, depth), threads);
}

LANES static void share(void *given, long member, long size, int backward)
{
    Work *work = given;
    const long all = work->rows * work->heads;
    const Room room = room_of(work->room, room_for(work->columns, work->depth), member);
    int safe = 1;
    begin_tiles();
    for (long at = begins(all, member, size); at < begins(all, member + 1, size); at++) {
        if (backward)
            go_back(work, at / work->heads, at % work->heads, room);
        else
            safe &= attend(work, at / work->heads, at % work->heads, room);
    }
    end_tiles();
    if (!safe)
        work->unsafe = 1;
}

static void share_forward(void *work, long member, long size) { share(work, member, size, 0); }

static void share_backward(void *work, long member, long size) { share(work, member, size, 1); }

/* Returns 0, or 1 if exponentials were too large or too small and the output means nothing. */
int sasrec_attend(const bfloat16 *projected, const uint32_t *bits, long rows, long columns, long heads,
                  long depth, float kept, bfloat16 *output, float *inverse, char *room, long threads)
{
    Work work = {.projected = projected, .bits = bits, .rows = rows, .columns = columns,
                 .heads = heads, .depth = depth, .kept = kept, .output = output,
                 .inverse = inverse, .room = room};
    together(share_forward, &work, threads);
    return work.unsafe;
}

void sasrec_attend_back(const bfloat16 *projected, const uint32_t *bits, long rows, long columns,
                        long heads, long depth, float kept, bfloat16 *output, float *inverse,
                        const bfloat16 *grad, bfloat16 *projected_grad, char *room, long threads)
{
    Work work = {.projected = projected, .bits = bits, .rows = rows, .columns = columns,
                 .heads = heads, .depth = depth, .kept = kept, .output = output,
                 .inverse = inverse, .grad = grad, .projected_grad = projected_grad, .room = room};
    together(share_backward, &work, threads);
}

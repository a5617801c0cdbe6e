/* The gradient of attention; see attention.h. */

#include "attention.h"

#include <string.h>

/* The gradient of the output, scaled by 1 / (Z kept), and what all errors of a query share. */
LANES static void scale_gradient(const Attention *work, long row, long head, Matrix scaled,
                                 float *along)
{
    const Matrix grad = result(work, work->grad, row, head);
    const Matrix out = result(work, work->output, row, head);
    const float *inverse = work->inverse + (row * work->heads + head) * grad.blocks * BLOCK;
    for (long place = 0; place < grad.count; place++) {
        __m512 sum = _mm512_setzero_ps();
        const __m512 factor = _mm512_set1_ps(inverse[place] / work->kept);
        for (long at = 0; at < grad.width; at += SIDE) {
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

/* One window and head, laid out as its products want it. */
typedef struct {
    long blocks, depth;
    float scale;
    const uint32_t *bits;
    BiasView bias;
    float *bias_sums;
    bfloat16 *keys, *values, *turned_keys;   /* left tiles */
    bfloat16 *queries, *grads;               /* right tiles [depth, queries] */
    bfloat16 *paired_queries, *paired_grads; /* right tiles [queries, depth] */
    bfloat16 *weights, *errors;              /* left tiles of a block of keys, [keys, queries] */
    bfloat16 *paired_errors;                 /* right tiles of one block */
    float *along;                            /* [padded queries] */
    float *query_sums;                       /* [blocks, depth, 32] */
    float *scores, *changes, *sums;          /* of one block */
} Desk;

LANES static Desk lay_out(const Attention *work, long row, long head, float *bias_sums, Room *room)
{
    const Matrix query = projected(work, row, head, 0), key = projected(work, row, head, 1);
    const Matrix value = projected(work, row, head, 2);
    const long blocks = query.blocks, depth = query.depth, size = blocks * BLOCK * depth;
    const Matrix grad = matrix(take_narrow(room, size), depth, query.count, query.width);
    Desk desk = {.blocks = blocks,
                 .depth = depth,
                 .scale = 1 / __builtin_sqrtf((float)query.width),
                 .bits = bits_of(work, row, head),
                 .bias = view_bias(&work->bias, row, head, work->heads, work->columns, room),
                 .bias_sums = bias_sums};
    bfloat16 **tiles[] = {&desk.keys,  &desk.values,         &desk.turned_keys, &desk.queries,
                          &desk.grads, &desk.paired_queries, &desk.paired_grads};
    for (int at = 0; at < 7; at++)
        *tiles[at] = take_narrow(room, size);
    desk.weights = take_narrow(room, blocks * 2 * TILE);
    desk.errors = take_narrow(room, blocks * 2 * TILE);
    desk.paired_errors = take_narrow(room, 2 * TILE);
    desk.along = take_floats(room, blocks * BLOCK);
    desk.query_sums = take_floats(room, size);
    desk.scores = take_floats(room, BLOCK * BLOCK);
    desk.changes = take_floats(room, BLOCK * BLOCK);
    desk.sums = take_floats(room, BLOCK * depth);
    scale_gradient(work, row, head, grad, desk.along);
    as_left(key, desk.keys);
    as_left(value, desk.values);
    as_right(key, desk.queries); /* on the way to turned ones; the queries overwrite them */
    as_turned(key, desk.queries, desk.turned_keys);
    as_right(query, desk.queries);
    as_right(grad, desk.grads);
    as_paired(query, desk.paired_queries);
    as_paired(grad, desk.paired_grads);
    memset(desk.query_sums, 0, (size_t)size * sizeof(float));
    return desk;
}

/* The kept weights and the errors of a block of keys and one of queries. */
LANES static void find_errors(const Desk *desk, long keys, long queries)
{
    block_product(desk->keys, desk->queries, keys, queries, desk->depth, desk->scores);
    block_product(desk->values, desk->grads, keys, queries, desk->depth, desk->changes);
    for (long pair = 0; pair < BLOCK; pair += 2)
        for (long half = 0; half < BLOCK; half += SIDE) {
            const long query = queries * BLOCK + half;
            const __m512 shared = _mm512_load_ps(desk->along + query);
            __m512 errors[2];
            for (long odd = 0; odd < 2; odd++) {
                const long place = pair + odd, key = keys * BLOCK + place;
                const __mmask16 kept =
                    (__mmask16)(desk->bits[key * desk->blocks + queries] >> half);
                const __m512 power = weight(desk->scores, &desk->bias, key, query, desk->scale);
                const __m512 change =
                    _mm512_maskz_mov_ps(kept, _mm512_load_ps(desk->changes + place * BLOCK + half));
                errors[odd] = _mm512_mul_ps(power, _mm512_sub_ps(change, shared));
                add_bias_error(&desk->bias, desk->bias_sums, key, query, errors[odd]);
                const long here =
                    queries * 2 * TILE + place / SIDE * TILE + place % SIDE * DEPTH + half;
                store_narrow(desk->weights + here, _mm512_maskz_mov_ps(kept, power));
                store_narrow(desk->errors + here, errors[odd]);
            }
            _mm512_store_si512(desk->paired_errors + half / SIDE * TILE + pair / 2 * DEPTH,
                               interleaved(errors[0], errors[1]));
        }
}

/* Add what these errors mean for the queries. */
static void add_to_queries(const Desk *desk, long keys, long queries)
{
    const long depth = desk->depth;
    for (long side = 0; side < depth; side += BLOCK) {
        const bfloat16 *left = desk->turned_keys + keys * BLOCK * depth + side * DEPTH;
        multiply(desk->query_sums + queries * BLOCK * depth + side * BLOCK, BLOCK,
                 (Pair){left, left + TILE, 0},
                 (Pair){desk->paired_errors, desk->paired_errors + TILE, 0}, 1, 1);
    }
}

/* Write a gradient of a block of keys: left tiles of it, [keys, queries], times [queries, depth].
 */
static void write_of_keys(const Desk *desk, const bfloat16 *left, const bfloat16 *right,
                          float factor, Matrix to, long keys)
{
    const long depth = desk->depth;
    left += keys * 2 * TILE;
    right += keys * BLOCK * depth;
    for (long side = 0; side < depth; side += BLOCK) {
        const bfloat16 *columns = right + side * DEPTH;
        multiply(desk->sums + side, depth, (Pair){left, left + TILE, 2 * TILE},
                 (Pair){columns, columns + TILE, BLOCK * depth}, desk->blocks - keys, 0);
    }
    write_rows(desk->sums, factor, to, keys);
}

LANES static void go_back(const Attention *work, long row, long head, float *bias_sums, Room room)
{
    const Desk desk = lay_out(work, row, head, bias_sums, &room);
    const long width = work->heads * work->depth;
    const Matrix query = part(work, work->projected_grad, row, 3 * width, head * work->depth);
    Matrix key = query, value = query;
    key.values += width;
    value.values += 2 * width;
    for (long keys = 0; keys < desk.blocks; keys++) {
        for (long queries = keys; queries < desk.blocks; queries++) {
            find_errors(&desk, keys, queries);
            add_to_queries(&desk, keys, queries);
        }
        write_of_keys(&desk, desk.errors, desk.paired_queries, desk.scale, key, keys);
        write_of_keys(&desk, desk.weights, desk.paired_grads, 1, value, keys);
    }
    float scales[BLOCK];
    for (long place = 0; place < BLOCK; place++)
        scales[place] = desk.scale;
    for (long queries = 0; queries < desk.blocks; queries++)
        write_turned(desk.query_sums + queries * BLOCK * desk.depth, scales, query, queries);
}

typedef struct {
    Attention attention;
    char *sums; /* of each thread, the gradient of the bias by head */
} Work;

static float *sums_of(const Work *work, long member)
{
    const long heads = work->attention.heads, size = bias_sums(work->attention.columns);
    return (float *)room_of(work->sums, heads * size * (long)sizeof(float), member).at;
}

LANES static void share(void *given, long member, long size)
{
    const Work *work = given;
    const Attention *attention = &work->attention;
    const long heads = attention->heads, all = attention->rows * heads;
    const Room room = room_of(attention->room, attention_room(attention), member);
    const long each = bias_sums(attention->columns);
    float *sums = sums_of(work, member);
    memset(sums, 0, (size_t)(heads * each) * sizeof(float));
    begin_tiles();
    for (long at = begins(all, member, size); at < begins(all, member + 1, size); at++)
        go_back(attention, at / heads, at % heads, sums + at % heads * each, room);
    end_tiles();
}

/* Gradients of the bias are added to `by_gap_grad` and `by_step_grad`, shaped as the tables. */
EXPORT void sasrec_attend_back(const bfloat16 *projected, const uint32_t *bits, long rows,
                               long columns, long heads, long depth, float kept,
                               const uint8_t *numbers, const float *by_gap, const float *by_step,
                               bfloat16 *output, float *inverse, const bfloat16 *grad,
                               bfloat16 *projected_grad, float *by_gap_grad, float *by_step_grad,
                               char *room, long threads)
{
    Work work = {.attention = {.projected = projected,
                               .bits = bits,
                               .rows = rows,
                               .columns = columns,
                               .heads = heads,
                               .depth = depth,
                               .kept = kept,
                               .output = output,
                               .inverse = inverse,
                               .bias = {numbers, by_gap, by_step},
                               .room = room,
                               .grad = grad,
                               .projected_grad = projected_grad}};
    work.sums = room + room_for_all(attention_room(&work.attention), threads);
    together(share, &work, threads);
    for (long member = 0; member < threads; member++)
        for (long head = 0; head < heads; head++)
            collect_bias(sums_of(&work, member) + head * bias_sums(columns), head, heads, columns,
                         by_gap_grad, by_step_grad);
}

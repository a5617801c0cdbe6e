/* The gradient of attention; see attention.h. */

#include "attention.h"

#include <string.h>

/* The gradient of the output, scaled by 1 / (Z kept), and what all errors of a query share. */
LANES static void scale_gradient(const Attention *work, long row, long head, Matrix scaled, float *along)
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

LANES static void go_back(const Attention *work, long row, long head, float *bias_sums, Room room)
{
    const Matrix query = projected(work, row, head, 0), keys_of = projected(work, row, head, 1);
    const Matrix value = projected(work, row, head, 2);
    const long blocks = query.blocks, depth = work->depth, size = blocks * BLOCK * depth;
    const float scale = 1 / __builtin_sqrtf((float)depth);
    const Matrix grad = {take_narrow(&room, size), depth, query.count, blocks, depth};
    bfloat16 *keys = take_narrow(&room, size), *values = take_narrow(&room, size);
    bfloat16 *queries = take_narrow(&room, size);
    bfloat16 *grads = take_narrow(&room, size), *paired_queries = take_narrow(&room, size);
    bfloat16 *paired_grads = take_narrow(&room, size), *turned = take_narrow(&room, size);
    bfloat16 *weights = take_narrow(&room, blocks * 2 * TILE);
    bfloat16 *errors = take_narrow(&room, blocks * 2 * TILE);
    bfloat16 *paired_errors = take_narrow(&room, 2 * TILE);
    float *scores = take_floats(&room, BLOCK * BLOCK);
    float *changes = take_floats(&room, BLOCK * BLOCK);
    float *sums = take_floats(&room, BLOCK * depth);
    float *query_sums = take_floats(&room, size);
    float *along = take_floats(&room, blocks * BLOCK), scales[BLOCK];
    const uint32_t *bits = bits_of(work, row, head);
    const BiasView bias = view_bias(&work->bias, row, head, work->heads, work->columns, &room);
    const long width = work->heads * depth;
    Matrix to = part(work, work->projected_grad, row, 3 * width, head * depth);
    scale_gradient(work, row, head, grad, along);
    as_left(keys_of, keys);
    as_left(value, values);
    as_right(query, queries);
    as_right(grad, grads);
    as_paired(query, paired_queries);
    as_paired(grad, paired_grads);
    as_right(keys_of, (bfloat16 *)query_sums); /* free as yet */
    as_turned(keys_of, (bfloat16 *)query_sums, turned);
    memset(query_sums, 0, (size_t)size * sizeof(float));
    for (long before = 0; before < blocks; before++) {
        for (long at = before; at < blocks; at++) {
            block_product(keys, queries, before, at, depth, scores);
            block_product(values, grads, before, at, depth, changes);
            for (long pair = 0; pair < BLOCK; pair += 2)
                for (long half = 0; half < 2; half++) {
                    const long queries_at = at * BLOCK + half * SIDE;
                    const __m512 shared = _mm512_load_ps(along + queries_at);
                    __m512 both[2];
                    for (long odd = 0; odd < 2; odd++) {
                        const long place = pair + odd, key = before * BLOCK + place;
                        const __mmask16 mask = (__mmask16)(bits[key * blocks + at] >> half * SIDE);
                        const __m512 power = weight(scores, &bias, key, queries_at, scale);
                        const __m512 change = _mm512_maskz_mov_ps(
                            mask, _mm512_load_ps(changes + place * BLOCK + half * SIDE));
                        both[odd] = _mm512_mul_ps(power, _mm512_sub_ps(change, shared));
                        add_bias_error(&bias, bias_sums, key, queries_at, both[odd]);
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
void sasrec_attend_back(const bfloat16 *projected, const uint32_t *bits, long rows, long columns,
                        long heads, long depth, float kept, const uint8_t *numbers,
                        const float *by_gap, const float *by_step, bfloat16 *output, float *inverse,
                        const bfloat16 *grad, bfloat16 *projected_grad, float *by_gap_grad,
                        float *by_step_grad, char *room, long threads)
{
    Work work = {.attention = {.projected = projected, .bits = bits, .rows = rows,
                               .columns = columns, .heads = heads, .depth = depth, .kept = kept,
                               .output = output, .inverse = inverse,
                               .bias = {numbers, by_gap, by_step}, .room = room, .grad = grad,
                               .projected_grad = projected_grad}};
    work.sums = room + room_for_all(attention_room(&work.attention), threads);
    together(share, &work, threads);
    for (long member = 0; member < threads; member++)
        for (long head = 0; head < heads; head++)
            collect_bias(sums_of(&work, member) + head * bias_sums(columns), head, heads, columns,
                         by_gap_grad, by_step_grad);
}

/* The gradient of attention; see attention.h. */

#include "attention.h"

#include <string.h>

/* The gradient of the output, scaled by 1 / (Z kept), and the term g . output / Z, which is the
   same for all errors of a query. */
AVX512 static void scale_gradient(const Attention *work, long row, long head, Matrix scaled,
                                  float *along)
{
    const Matrix grad = result(work, work->grad, row, head);
    const Matrix out = result(work, work->output, row, head);
    const float *inverse = work->inverse + (row * work->heads + head) * grad.blocks * BLOCK;
    for (long index = 0; index < grad.count; index++) {
        __m512 sum = _mm512_setzero_ps();
        const __m512 factor = _mm512_set1_ps(inverse[index] / work->kept);
        for (long at = 0; at < grad.width; at += SIDE) {
            const __m512 value = widened(grad.values + index * grad.stride + at);
            sum = _mm512_fmadd_ps(value, widened(out.values + index * out.stride + at), sum);
            store_narrow((bfloat16 *)scaled.values + index * scaled.stride + at,
                         _mm512_mul_ps(value, factor));
        }
        along[index] = _mm512_reduce_add_ps(sum) * inverse[index];
    }
    for (long index = grad.count; index < grad.blocks * BLOCK; index++)
        along[index] = 0;
}

/* The data of one window and head, arranged as operands of the products. */
typedef struct {
    long blocks, depth;
    float scale;
    const uint32_t *bits;
    BiasView bias;
    float *bias_sums;
    bfloat16 *keys, *values, *transposed_keys; /* left tiles */
    bfloat16 *queries, *grads;                 /* right tiles [depth, queries] */
    bfloat16 *paired_queries, *paired_grads;   /* right tiles [queries, depth] */
    bfloat16 *weights, *errors;                /* left tiles for a block of keys, [keys, queries] */
    bfloat16 *paired_errors;                   /* right tiles of one block */
    float *along;                              /* [padded queries] */
    float *query_sums;                         /* [blocks, depth, 32] */
    float *scores, *changes, *sums;            /* of one block */
} Operands;

AVX512 static Operands arrange(const Attention *work, long row, long head, float *bias_sums,
                               Workspace *workspace)
{
    const Matrix query = projected(work, row, head, 0), key = projected(work, row, head, 1);
    const Matrix value = projected(work, row, head, 2);
    const long blocks = query.blocks, depth = query.depth, size = blocks * BLOCK * depth;
    const Matrix grad = matrix(take_narrow(workspace, size), depth, query.count, query.width);
    Operands operands = {
        .blocks = blocks,
        .depth = depth,
        .scale = 1 / __builtin_sqrtf((float)query.width),
        .bits = bits_of(work, row, head),
        .bias = view_bias(&work->bias, row, head, work->heads, work->columns, workspace),
        .bias_sums = bias_sums};
    bfloat16 **tiles[] = {&operands.keys,        &operands.values, &operands.transposed_keys,
                          &operands.queries,     &operands.grads,  &operands.paired_queries,
                          &operands.paired_grads};
    for (int at = 0; at < 7; at++)
        *tiles[at] = take_narrow(workspace, size);
    operands.weights = take_narrow(workspace, blocks * 2 * TILE);
    operands.errors = take_narrow(workspace, blocks * 2 * TILE);
    operands.paired_errors = take_narrow(workspace, 2 * TILE);
    operands.along = take_floats(workspace, blocks * BLOCK);
    operands.query_sums = take_floats(workspace, size);
    operands.scores = take_floats(workspace, BLOCK * BLOCK);
    operands.changes = take_floats(workspace, BLOCK * BLOCK);
    operands.sums = take_floats(workspace, BLOCK * depth);
    scale_gradient(work, row, head, grad, operands.along);
    as_left(key, operands.keys);
    as_left(value, operands.values);
    as_right(key, operands.queries); /* input of the next line; later overwritten by the queries */
    as_transposed(key, operands.queries, operands.transposed_keys);
    as_right(query, operands.queries);
    as_right(grad, operands.grads);
    as_paired(query, operands.paired_queries);
    as_paired(grad, operands.paired_grads);
    memset(operands.query_sums, 0, (size_t)size * sizeof(float));
    return operands;
}

/* Compute the kept weights and the errors of a block of keys and a block of queries. */
AVX512 static void find_errors(const Operands *operands, long keys, long queries)
{
    block_product(operands->keys, operands->queries, keys, queries, operands->depth,
                  operands->scores);
    block_product(operands->values, operands->grads, keys, queries, operands->depth,
                  operands->changes);
    for (long pair = 0; pair < BLOCK; pair += 2)
        for (long half = 0; half < BLOCK; half += SIDE) {
            const long query = queries * BLOCK + half;
            const __m512 shared = _mm512_load_ps(operands->along + query);
            __m512 errors[2];
            for (long odd = 0; odd < 2; odd++) {
                const long index = pair + odd, key = keys * BLOCK + index;
                const __mmask16 kept =
                    (__mmask16)(operands->bits[key * operands->blocks + queries] >> half);
                const __m512 power =
                    weight(operands->scores, &operands->bias, key, query, operands->scale);
                const __m512 change = _mm512_maskz_mov_ps(
                    kept, _mm512_load_ps(operands->changes + index * BLOCK + half));
                errors[odd] = _mm512_mul_ps(power, _mm512_sub_ps(change, shared));
                add_bias_error(&operands->bias, operands->bias_sums, key, query, errors[odd]);
                const long here =
                    queries * 2 * TILE + index / SIDE * TILE + index % SIDE * DEPTH + half;
                store_narrow(operands->weights + here, _mm512_maskz_mov_ps(kept, power));
                store_narrow(operands->errors + here, errors[odd]);
            }
            _mm512_store_si512(operands->paired_errors + half / SIDE * TILE + pair / 2 * DEPTH,
                               interleaved(errors[0], errors[1]));
        }
}

/* Add the terms of these errors to the gradients of the queries. */
static void add_to_queries(const Operands *operands, long keys, long queries)
{
    const long depth = operands->depth;
    for (long side = 0; side < depth; side += BLOCK) {
        const bfloat16 *left = operands->transposed_keys + keys * BLOCK * depth + side * DEPTH;
        multiply(operands->query_sums + queries * BLOCK * depth + side * BLOCK, BLOCK,
                 (Pair){left, left + TILE, 0},
                 (Pair){operands->paired_errors, operands->paired_errors + TILE, 0}, 1, 1);
    }
}

/* Write a gradient for a block of keys: left tiles [keys, queries] times right tiles
   [queries, depth]. */
static void write_of_keys(const Operands *operands, const bfloat16 *left, const bfloat16 *right,
                          float factor, Matrix to, long keys)
{
    const long depth = operands->depth;
    left += keys * 2 * TILE;
    right += keys * BLOCK * depth;
    for (long side = 0; side < depth; side += BLOCK) {
        const bfloat16 *columns = right + side * DEPTH;
        multiply(operands->sums + side, depth, (Pair){left, left + TILE, 2 * TILE},
                 (Pair){columns, columns + TILE, BLOCK * depth}, operands->blocks - keys, 0);
    }
    write_rows(operands->sums, factor, to, keys);
}

AVX512 static void backward(const Attention *work, long row, long head, float *bias_sums,
                            Workspace workspace)
{
    const Operands operands = arrange(work, row, head, bias_sums, &workspace);
    const long width = work->heads * work->depth;
    const Matrix query = part(work, work->projected_grad, row, 3 * width, head * work->depth);
    Matrix key = query, value = query;
    key.values += width;
    value.values += 2 * width;
    for (long keys = 0; keys < operands.blocks; keys++) {
        for (long queries = keys; queries < operands.blocks; queries++) {
            find_errors(&operands, keys, queries);
            add_to_queries(&operands, keys, queries);
        }
        write_of_keys(&operands, operands.errors, operands.paired_queries, operands.scale, key,
                      keys);
        write_of_keys(&operands, operands.weights, operands.paired_grads, 1, value, keys);
    }
    float scales[BLOCK];
    for (long index = 0; index < BLOCK; index++)
        scales[index] = operands.scale;
    for (long queries = 0; queries < operands.blocks; queries++)
        write_transposed(operands.query_sums + queries * BLOCK * operands.depth, scales, query,
                         queries);
}

typedef struct {
    Attention attention;
    char *sums; /* for each thread: the gradient of the bias by head */
} Work;

static float *sums_of(const Work *work, long thread)
{
    const long heads = work->attention.heads, size = bias_sums(work->attention.columns);
    return (float *)workspace_of(work->sums, heads * size * (long)sizeof(float), thread).at;
}

AVX512 static void share(void *given, long thread, long size)
{
    const Work *work = given;
    const Attention *attention = &work->attention;
    const long heads = attention->heads, all = attention->rows * heads;
    const Workspace workspace =
        workspace_of(attention->workspace, attention_bytes(attention), thread);
    const long each = bias_sums(attention->columns);
    float *sums = sums_of(work, thread);
    memset(sums, 0, (size_t)(heads * each) * sizeof(float));
    begin_tiles();
    for (long at = share_start(all, thread, size); at < share_start(all, thread + 1, size); at++)
        backward(attention, at / heads, at % heads, sums + at % heads * each, workspace);
    end_tiles();
}

/* The gradients of the bias are added to `by_gap_grad` and `by_step_grad`, which have the shapes of
   the tables. */
EXPORT void sasrec_attend_back(const bfloat16 *projected, const uint32_t *bits, long rows,
                               long columns, long heads, long depth, float kept,
                               const uint8_t *numbers, const float *by_gap, const float *by_step,
                               bfloat16 *output, float *inverse, const bfloat16 *grad,
                               bfloat16 *projected_grad, float *by_gap_grad, float *by_step_grad,
                               char *workspace, long threads)
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
                               .workspace = workspace,
                               .grad = grad,
                               .projected_grad = projected_grad}};
    work.sums = workspace + workspace_bytes(attention_bytes(&work.attention), threads);
    run_in_pool(share, &work, threads);
    for (long thread = 0; thread < threads; thread++)
        for (long head = 0; head < heads; head++)
            collect_bias(sums_of(&work, thread) + head * bias_sums(columns), head, heads, columns,
                         by_gap_grad, by_step_grad);
}

/* A linear layer with bias, optionally followed by a GELU, and its gradients.

       before = input weight.T + bias,    output = gelu(before) or before

   The derivative of the GELU is computed and stored together with its value, at no extra cost, and
   used for the gradient. Weights and their gradients are float32; inputs and outputs are bfloat16.
   The positions are divided among threads. Each thread sums its own gradients of the weights; these
   sums are added at the end. */

#include "forms.h"
#include "workspace.h"
#include "thread_pool.h"

#include <string.h>

enum { GROUP = 4 }; /* blocks of positions that add to the weights' gradient at once */

typedef struct {
    const bfloat16 *input;      /* [positions, in] */
    const float *weight, *bias; /* [out, in], [out] */
    long positions, in, out;
    bfloat16 *slopes; /* derivatives of the GELU, [positions, out]; null without a GELU */
    bfloat16 *output;
    const bfloat16 *grad; /* [positions, out] */
    bfloat16 *input_grad;
    float *sums; /* for each thread: gradients of weight and bias */
    char *workspace;
} Work;

/* Upper limit of the bytes that a thread needs. */
static long bytes_per_thread(long in, long out)
{
    const long narrow = 2 * in * out + GROUP * BLOCK * (3 * out + in),
               floats = BLOCK * (in + BLOCK);
    return narrow * (long)sizeof(bfloat16) + floats * (long)sizeof(float) + 8 * ALIGNED;
}

/* Size in bytes of the workspace of sasrec_linear and sasrec_linear_back. */
EXPORT long sasrec_linear_workspace(long in, long out, long threads)
{
    return workspace_bytes(bytes_per_thread(in, out), threads);
}

static Matrix rows_of(const bfloat16 *values, long begin, long end, long depth)
{
    return matrix(values + begin * depth, depth, end - begin, depth);
}

AVX512 static Matrix narrow_weight(const Work *work, bfloat16 *values)
{
    for (long at = 0; at < work->out * work->in; at += SIDE)
        store_narrow(values + at, _mm512_loadu_ps(work->weight + at));
    return rows_of(values, 0, work->out, work->in);
}

/* Add the bias to a block of products, apply the GELU if there is one, and write the result. */
AVX512 static void write_outputs(const Work *work, const float *products, long begin, long column)
{
    for (long row = 0; row < BLOCK && begin + row < work->positions; row++)
        for (long half = 0; half < BLOCK; half += SIDE) {
            const long to = (begin + row) * work->out + column + half;
            __m512 value = _mm512_add_ps(_mm512_load_ps(products + row * BLOCK + half),
                                         _mm512_loadu_ps(work->bias + column + half)),
                   slope;
            if (work->slopes) {
                value = gelu(value, &slope);
                store_narrow(work->slopes + to, slope);
            }
            store_narrow(work->output + to, value);
        }
}

AVX512 static void forward(void *given, long thread, long size)
{
    const Work *work = given;
    const long in = work->in, blocks = (work->positions + BLOCK - 1) / BLOCK;
    const long end = share_start(blocks, thread + 1, size);
    Workspace workspace = workspace_of(work->workspace, bytes_per_thread(in, work->out), thread);
    bfloat16 *narrow = take_narrow(&workspace, work->out * in);
    bfloat16 *right = take_narrow(&workspace, work->out * in);
    bfloat16 *left = take_narrow(&workspace, BLOCK * in);
    float *products = take_floats(&workspace, BLOCK * BLOCK);
    as_right(narrow_weight(work, narrow), right);
    begin_tiles();
    for (long block = share_start(blocks, thread, size); block < end; block++) {
        const long begin = block * BLOCK, last = begin + BLOCK;
        as_left(rows_of(work->input, begin, last < work->positions ? last : work->positions, in),
                left);
        for (long column = 0; column < work->out; column += BLOCK) {
            block_product(left, right, 0, column / BLOCK, in, products);
            write_outputs(work, products, begin, column);
        }
    }
    end_tiles();
}

/* The gradient with respect to the input of the GELU, for some positions; its sum is added to the
   gradient of the bias. */
AVX512 static Matrix gelu_backward(const Work *work, long begin, long end, bfloat16 *values,
                                   float *bias)
{
    const long out = work->out;
    for (long index = begin; index < end; index++)
        for (long column = 0; column < out; column += SIDE) {
            __m512 change = widened(work->grad + index * out + column);
            if (work->slopes) {
                change = _mm512_mul_ps(change, widened(work->slopes + index * out + column));
                store_narrow(values + (index - begin) * out + column, change);
            }
            _mm512_storeu_ps(bias + column, _mm512_add_ps(_mm512_loadu_ps(bias + column), change));
        }
    return rows_of(work->slopes ? values : work->grad + begin * out, 0, end - begin, out);
}

AVX512 static void backward(void *given, long thread, long size)
{
    const Work *work = given;
    const long in = work->in, out = work->out, blocks = (work->positions + BLOCK - 1) / BLOCK;
    const long end = share_start(blocks, thread + 1, size);
    float *weight_grad = work->sums + thread * (in + 1) * out, *bias_grad = weight_grad + in * out;
    Workspace workspace = workspace_of(work->workspace, bytes_per_thread(in, out), thread);
    bfloat16 *narrow = take_narrow(&workspace, out * in),
             *weight = take_narrow(&workspace, out * in);
    bfloat16 *before_gelu = take_narrow(&workspace, GROUP * BLOCK * out);
    bfloat16 *left = take_narrow(&workspace, GROUP * BLOCK * out);
    bfloat16 *transposed = take_narrow(&workspace, GROUP * BLOCK * out);
    bfloat16 *paired = take_narrow(&workspace, GROUP * BLOCK * in);
    float *products = take_floats(&workspace, BLOCK * in);
    memset(weight_grad, 0, (size_t)((in + 1) * out) * sizeof(float));
    as_paired(narrow_weight(work, narrow), weight);
    begin_tiles();
    for (long block = share_start(blocks, thread, size); block < end; block += GROUP) {
        const long begin = block * BLOCK;
        long last = (block + GROUP < end ? block + GROUP : end) * BLOCK;
        last = last < work->positions ? last : work->positions;
        const Matrix change = gelu_backward(work, begin, last, before_gelu, bias_grad);
        as_left(change, left);
        for (long at = 0; at < change.blocks; at++) {
            const bfloat16 *rows = left + at * BLOCK * out;
            for (long column = 0; column < in; column += BLOCK)
                multiply(
                    products + column, in, (Pair){rows, rows + SIDE * out, TILE},
                    (Pair){weight + column * DEPTH, weight + column * DEPTH + TILE, BLOCK * in},
                    out / DEPTH, 0);
            write_rows(products, 1, rows_of(work->input_grad + begin * in, 0, last - begin, in),
                       at);
        }
        as_right(change, left); /* input of the next line; the left tiles are no longer needed */
        as_transposed(change, left, transposed);
        as_paired(rows_of(work->input, begin, last, in), paired);
        for (long row = 0; row < out; row += BLOCK)
            for (long column = 0; column < in; column += BLOCK) {
                const bfloat16 *rows = transposed + row * DEPTH, *columns = paired + column * DEPTH;
                multiply(weight_grad + row * in + column, in,
                         (Pair){rows, rows + TILE, BLOCK * out},
                         (Pair){columns, columns + TILE, BLOCK * in}, change.blocks, 1);
            }
    }
    end_tiles();
}

/* `slopes` is null without a GELU. Both widths are multiples of 32. */
EXPORT void sasrec_linear(const bfloat16 *input, const float *weight, const float *bias,
                          long positions, long in, long out, bfloat16 *slopes, bfloat16 *output,
                          char *workspace, long threads)
{
    Work work = {.input = input,
                 .weight = weight,
                 .bias = bias,
                 .positions = positions,
                 .in = in,
                 .out = out,
                 .slopes = slopes,
                 .output = output,
                 .workspace = workspace};
    run_in_pool(forward, &work, threads);
}

/* `sums` holds threads x (in + 1) x out floats; the first part becomes the gradients of weight and
   bias. */
EXPORT void sasrec_linear_back(const bfloat16 *input, const float *weight, long positions, long in,
                               long out, bfloat16 *slopes, const bfloat16 *grad,
                               bfloat16 *input_grad, float *sums, char *workspace, long threads)
{
    Work work = {.input = input,
                 .weight = weight,
                 .positions = positions,
                 .in = in,
                 .out = out,
                 .slopes = slopes,
                 .grad = grad,
                 .input_grad = input_grad,
                 .sums = sums,
                 .workspace = workspace};
    run_in_pool(backward, &work, threads);
    const long size = (in + 1) * out;
    for (long thread = 1; thread < threads; thread++)
        for (long at = 0; at < size; at++)
            sums[at] += sums[thread * size + at];
}

/* A linear layer with bias, alone or with a GELU behind it, and its gradients.

       before = input weight.T + bias,    output = gelu(before) or before

   With a GELU its slope is kept for the gradient, which costs nothing while its value is found.
   Weights and their gradients are float32, what flows between layers is bfloat16. Threads share the
   positions; each sums gradients of the weights of its own, added up at the end. */

#include "forms.h"
#include "room.h"
#include "team.h"

#include <string.h>

enum { GROUP = 4 }; /* blocks of positions that add to the weights' gradient at once */

typedef struct {
    const bfloat16 *input;      /* [positions, in] */
    const float *weight, *bias; /* [out, in], [out] */
    long positions, in, out;
    bfloat16 *slopes; /* of the GELU, [positions, out]; null without one */
    bfloat16 *output;
    const bfloat16 *grad; /* [positions, out] */
    bfloat16 *input_grad;
    float *sums; /* of each thread: gradients of weight and bias */
    char *room;
} Work;

/* Bytes that a thread needs, at most. */
static long room_for(long in, long out)
{
    const long narrow = 2 * in * out + GROUP * BLOCK * (3 * out + in),
               floats = BLOCK * (in + BLOCK);
    return narrow * (long)sizeof(bfloat16) + floats * (long)sizeof(float) + 8 * ALIGNED;
}

/* Bytes to give to either of the functions below. */
EXPORT long sasrec_linear_room(long in, long out, long threads)
{
    return room_for_all(room_for(in, out), threads);
}

static Matrix rows_of(const bfloat16 *values, long begin, long end, long depth)
{
    return matrix(values + begin * depth, depth, end - begin, depth);
}

LANES static Matrix narrow_weight(const Work *work, bfloat16 *values)
{
    for (long at = 0; at < work->out * work->in; at += SIDE)
        store_narrow(values + at, _mm512_loadu_ps(work->weight + at));
    return rows_of(values, 0, work->out, work->in);
}

/* Add the bias to a block of products, bend them if wanted, and write them. */
LANES static void write_outputs(const Work *work, const float *products, long begin, long column)
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

LANES static void forward(void *given, long member, long size)
{
    const Work *work = given;
    const long in = work->in, blocks = (work->positions + BLOCK - 1) / BLOCK;
    const long end = begins(blocks, member + 1, size);
    Room room = room_of(work->room, room_for(in, work->out), member);
    bfloat16 *narrow = take_narrow(&room, work->out * in);
    bfloat16 *right = take_narrow(&room, work->out * in);
    bfloat16 *left = take_narrow(&room, BLOCK * in);
    float *products = take_floats(&room, BLOCK * BLOCK);
    as_right(narrow_weight(work, narrow), right);
    begin_tiles();
    for (long block = begins(blocks, member, size); block < end; block++) {
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

/* The gradient before the GELU, for some positions, and its sum for the bias. */
LANES static Matrix bend_back(const Work *work, long begin, long end, bfloat16 *values, float *bias)
{
    const long out = work->out;
    for (long place = begin; place < end; place++)
        for (long column = 0; column < out; column += SIDE) {
            __m512 change = widened(work->grad + place * out + column);
            if (work->slopes) {
                change = _mm512_mul_ps(change, widened(work->slopes + place * out + column));
                store_narrow(values + (place - begin) * out + column, change);
            }
            _mm512_storeu_ps(bias + column, _mm512_add_ps(_mm512_loadu_ps(bias + column), change));
        }
    return rows_of(work->slopes ? values : work->grad + begin * out, 0, end - begin, out);
}

LANES static void backward(void *given, long member, long size)
{
    const Work *work = given;
    const long in = work->in, out = work->out, blocks = (work->positions + BLOCK - 1) / BLOCK;
    const long end = begins(blocks, member + 1, size);
    float *weight_grad = work->sums + member * (in + 1) * out, *bias_grad = weight_grad + in * out;
    Room room = room_of(work->room, room_for(in, out), member);
    bfloat16 *narrow = take_narrow(&room, out * in), *weight = take_narrow(&room, out * in);
    bfloat16 *bent = take_narrow(&room, GROUP * BLOCK * out);
    bfloat16 *left = take_narrow(&room, GROUP * BLOCK * out);
    bfloat16 *turned = take_narrow(&room, GROUP * BLOCK * out);
    bfloat16 *paired = take_narrow(&room, GROUP * BLOCK * in);
    float *products = take_floats(&room, BLOCK * in);
    memset(weight_grad, 0, (size_t)((in + 1) * out) * sizeof(float));
    as_paired(narrow_weight(work, narrow), weight);
    begin_tiles();
    for (long block = begins(blocks, member, size); block < end; block += GROUP) {
        const long begin = block * BLOCK;
        long last = (block + GROUP < end ? block + GROUP : end) * BLOCK;
        last = last < work->positions ? last : work->positions;
        const Matrix change = bend_back(work, begin, last, bent, bias_grad);
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
        as_right(change, left); /* on the way to turned ones; the left ones have served */
        as_turned(change, left, turned);
        as_paired(rows_of(work->input, begin, last, in), paired);
        for (long row = 0; row < out; row += BLOCK)
            for (long column = 0; column < in; column += BLOCK) {
                const bfloat16 *rows = turned + row * DEPTH, *columns = paired + column * DEPTH;
                multiply(weight_grad + row * in + column, in,
                         (Pair){rows, rows + TILE, BLOCK * out},
                         (Pair){columns, columns + TILE, BLOCK * in}, change.blocks, 1);
            }
    }
    end_tiles();
}

/* `slopes` is null without a GELU. Widths are multiples of 32. */
EXPORT void sasrec_linear(const bfloat16 *input, const float *weight, const float *bias,
                          long positions, long in, long out, bfloat16 *slopes, bfloat16 *output,
                          char *room, long threads)
{
    Work work = {.input = input,
                 .weight = weight,
                 .bias = bias,
                 .positions = positions,
                 .in = in,
                 .out = out,
                 .slopes = slopes,
                 .output = output,
                 .room = room};
    together(forward, &work, threads);
}

/* `sums` has room for threads x (in + 1) x out; the first part is the gradient of weight and bias.
 */
EXPORT void sasrec_linear_back(const bfloat16 *input, const float *weight, long positions, long in,
                               long out, bfloat16 *slopes, const bfloat16 *grad,
                               bfloat16 *input_grad, float *sums, char *room, long threads)
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
                 .room = room};
    together(backward, &work, threads);
    const long size = (in + 1) * out;
    for (long member = 1; member < threads; member++)
        for (long at = 0; at < size; at++)
            sums[at] += sums[member * size + at];
}

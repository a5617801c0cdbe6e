/* Dropout, a residual connection and layer normalisation in one pass, and their gradients.

       sum    = residual + (kept values) / (probability of keeping)
       output = scale (sum - mean) / deviation + shift

   Mean and deviation are those of a row. If `values` is null, the sum is the residual; if `output`
   is null, only the sum is computed. For the gradient, the sum is stored as rounded to bfloat16. */

#include "lanes.h"
#include "thread_pool.h"

#include <string.h>

typedef struct {
    const bfloat16 *residual, *values; /* [positions, width]; no values: null */
    const uint32_t *bits;              /* [positions, width / 32], 1 if kept; null keeps all */
    const float *scale, *shift;        /* [width] */
    long positions, width;
    float kept, eps;
    bfloat16 *sum, *output;          /* no output: null */
    float *statistics;               /* mean and 1 / deviation of each row, [positions, 2] */
    const bfloat16 *grad, *sum_grad; /* gradients of output and of sum, or null */
    bfloat16 *residual_grad, *values_grad;
    float *sums; /* for each thread: gradients of scale and shift */
} Work;

/* Set dropped ones of 16 values to zero and scale up the others. */
AVX512 static inline __m512 dropped(const Work *work, long row, long at, __m512 values)
{
    if (!work->bits)
        return values;
    const uint32_t word = work->bits[(row * work->width + at) / 32];
    return _mm512_maskz_mul_ps((__mmask16)(word >> at % 32), values,
                               _mm512_set1_ps(1 / work->kept));
}

AVX512 static void add(const Work *work, long row)
{
    const long from = row * work->width;
    for (long at = 0; at < work->width; at += SIDE) {
        const __m512 added = dropped(work, row, at, widened(work->values + from + at));
        store_narrow(work->sum + from + at,
                     _mm512_add_ps(added, widened(work->residual + from + at)));
    }
}

AVX512 static void normalise(const Work *work, long row)
{
    const long width = work->width;
    const bfloat16 *sum = (work->values ? work->sum : work->residual) + row * width;
    __m512 total = _mm512_setzero_ps(), squares = total;
    for (long at = 0; at < width; at += SIDE)
        total = _mm512_add_ps(total, widened(sum + at));
    const float mean = _mm512_reduce_add_ps(total) / (float)width;
    for (long at = 0; at < width; at += SIDE) {
        const __m512 off = _mm512_sub_ps(widened(sum + at), _mm512_set1_ps(mean));
        squares = _mm512_fmadd_ps(off, off, squares);
    }
    const float variance = _mm512_reduce_add_ps(squares) / (float)width;
    const float inverse = 1 / __builtin_sqrtf(variance + work->eps);
    for (long at = 0; at < width; at += SIDE) {
        const __m512 off = _mm512_sub_ps(widened(sum + at), _mm512_set1_ps(mean));
        const __m512 even = _mm512_mul_ps(off, _mm512_set1_ps(inverse));
        store_narrow(work->output + row * width + at,
                     _mm512_fmadd_ps(even, _mm512_loadu_ps(work->scale + at),
                                     _mm512_loadu_ps(work->shift + at)));
    }
    work->statistics[2 * row] = mean;
    work->statistics[2 * row + 1] = inverse;
}

AVX512 static void forward(void *given, long thread, long size)
{
    const Work *work = given;
    const long end = share_start(work->positions, thread + 1, size);
    for (long row = share_start(work->positions, thread, size); row < end; row++) {
        if (work->values)
            add(work, row);
        if (work->output)
            normalise(work, row);
    }
}

/* Compute the gradient of a row's sum from that of the output, and write it to `residual_grad`. */
AVX512 static void normalise_back(const Work *work, long row, float *scale_grad, float *shift_grad)
{
    const long width = work->width, from = row * width;
    const __m512 mean = _mm512_set1_ps(work->statistics[2 * row]);
    const __m512 inverse = _mm512_set1_ps(work->statistics[2 * row + 1]);
    __m512 total = _mm512_setzero_ps(), along = total;
    for (long at = 0; at < width; at += SIDE) {
        const __m512 grad = widened(work->grad + from + at);
        const __m512 even =
            _mm512_mul_ps(_mm512_sub_ps(widened(work->sum + from + at), mean), inverse);
        const __m512 scaled = _mm512_mul_ps(grad, _mm512_loadu_ps(work->scale + at));
        total = _mm512_add_ps(total, scaled);
        along = _mm512_fmadd_ps(scaled, even, along);
        _mm512_storeu_ps(scale_grad + at,
                         _mm512_fmadd_ps(grad, even, _mm512_loadu_ps(scale_grad + at)));
        _mm512_storeu_ps(shift_grad + at, _mm512_add_ps(grad, _mm512_loadu_ps(shift_grad + at)));
    }
    const __m512 level = _mm512_set1_ps(_mm512_reduce_add_ps(total) / (float)width);
    const __m512 slope = _mm512_set1_ps(_mm512_reduce_add_ps(along) / (float)width);
    for (long at = 0; at < width; at += SIDE) {
        const __m512 even =
            _mm512_mul_ps(_mm512_sub_ps(widened(work->sum + from + at), mean), inverse);
        const __m512 scaled =
            _mm512_mul_ps(widened(work->grad + from + at), _mm512_loadu_ps(work->scale + at));
        __m512 change =
            _mm512_mul_ps(inverse, _mm512_fnmadd_ps(even, slope, _mm512_sub_ps(scaled, level)));
        if (work->sum_grad)
            change = _mm512_add_ps(change, widened(work->sum_grad + from + at));
        store_narrow(work->residual_grad + from + at, change);
    }
}

AVX512 static void backward(void *given, long thread, long size)
{
    const Work *work = given;
    const long width = work->width, end = share_start(work->positions, thread + 1, size);
    float *scale_grad = work->sums + thread * 2 * width, *shift_grad = scale_grad + width;
    memset(scale_grad, 0, (size_t)(2 * width) * sizeof(float));
    for (long row = share_start(work->positions, thread, size); row < end; row++) {
        /* Without an output, the gradient of the residual equals that of the sum, which is given.
         */
        const bfloat16 *change = (work->grad ? work->residual_grad : work->sum_grad) + row * width;
        if (work->grad)
            normalise_back(work, row, scale_grad, shift_grad);
        for (long at = 0; work->values_grad && at < width; at += SIDE)
            store_narrow(work->values_grad + row * width + at,
                         dropped(work, row, at, widened(change + at)));
    }
}

EXPORT void sasrec_add_norm(const bfloat16 *residual, const bfloat16 *values, const uint32_t *bits,
                            const float *scale, const float *shift, long positions, long width,
                            float kept, float eps, bfloat16 *sum, bfloat16 *output,
                            float *statistics, long threads)
{
    Work work = {.residual = residual,
                 .values = values,
                 .bits = bits,
                 .scale = scale,
                 .shift = shift,
                 .positions = positions,
                 .width = width,
                 .kept = kept,
                 .eps = eps,
                 .sum = sum,
                 .output = output,
                 .statistics = statistics};
    run_in_pool(forward, &work, threads);
}

/* `sums` holds threads x 2 x width floats; the first part becomes the gradient of scale and shift.
 */
EXPORT void sasrec_add_norm_back(bfloat16 *sum, float *statistics, const uint32_t *bits,
                                 const float *scale, long positions, long width, float kept,
                                 const bfloat16 *grad, const bfloat16 *sum_grad,
                                 bfloat16 *residual_grad, bfloat16 *values_grad, float *sums,
                                 long threads)
{
    Work work = {.bits = bits,
                 .scale = scale,
                 .positions = positions,
                 .width = width,
                 .kept = kept,
                 .sum = sum,
                 .statistics = statistics,
                 .grad = grad,
                 .sum_grad = sum_grad,
                 .residual_grad = residual_grad,
                 .values_grad = values_grad,
                 .sums = sums};
    run_in_pool(backward, &work, threads);
    for (long thread = 1; thread < threads; thread++)
        for (long at = 0; at < 2 * width; at++)
            sums[at] += sums[thread * 2 * width + at];
}

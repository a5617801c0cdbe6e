/* Finds the items with the highest scores for some states, exactly, while it reads a byte instead
   of four for most numbers. `kernel_scan.py` derives the bounds. */

#include "scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLAIN, AVX2, VNNI };

/* The best instructions that this processor has. */
EXPORT long sasrec_serve_level(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("fma"))
        return VNNI;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return AVX2;
#endif
    return PLAIN;
}

/* Hash of the sources, as a check that library and Python code belong together. */
EXPORT long long sasrec_serve_interface(void)
{
    return SASREC_SERVE_INTERFACE;
}

/* A bound as float32, enlarged by more than the rounding of all that is computed with it. */
static float enlarged(double x)
{
    return (float)(x * (1 + 1e-6)) + 1e-37f;
}

/* Codes a state, and derives its bounds. */
static void prepare(State *state, const float *values, long width, int8_t *code)
{
    double largest = 0, norm = 0, rest = 0;
    for (long i = 0; i < width; i++) {
        state->exact[i] = (double)values[i];
        largest = fmax(largest, fabs(state->exact[i]));
        norm += state->exact[i] * state->exact[i];
    }
    int exponent = 0;
    if (largest > 0)
        frexp(largest, &exponent);
    state->scale = ldexp(1.0, 1 - exponent); /* the largest number becomes 1 to 2 */
    norm = sqrt(norm) * state->scale;
    state->step = largest > 0 ? largest * state->scale / LARGEST : 1.0;
    for (long i = 0; i < width; i++) {
        double scaled = state->exact[i] * state->scale;
        double rounded = rint(scaled / state->step);
        rounded = fmin(fmax(rounded, -LARGEST), LARGEST);
        double left = scaled - state->step * rounded;
        rest += left * left;
        code[i] = (int8_t)rounded;
    }
    rest = sqrt(rest);
    const double rounding = 0x1p-18;
    state->rest_factor = enlarged(norm * (1 + rounding) / state->step);
    state->norm_factor = enlarged((rest * (1 + rounding) + norm * rounding) / state->step);
    state->slack = largest > 0 ? 1e-37f : 0.0f;
    state->threshold = -INFINITY;
}

/* Arranges the codes of all states for the products. */
static void pack(Scan *scan, long index, const int8_t *code)
{
    long tile = index / TILE, place = index % TILE;
    int32_t sum = 0;
    for (long g = 0; g < scan->groups; g++) {
        int8_t bytes[GROUP];
        int16_t words[GROUP];
        for (int i = 0; i < GROUP; i++) {
            bytes[i] = code[g * GROUP + i];
            words[i] = bytes[i];
            sum += bytes[i];
        }
        memcpy(scan->packed + (tile * scan->groups + g) * TILE + place, bytes, sizeof bytes);
        memcpy(scan->wide + (tile * scan->groups + g) * TILE + place, words, sizeof words);
    }
    scan->starts[index] = -OFFSET * sum;
}

static void run(Scan *scan, long level)
{
#if defined(__x86_64__)
    if (level == VNNI) {
        sasrec_serve_scan_vnni(scan);
        return;
    }
    if (level == AVX2) {
        sasrec_serve_scan_avx2(scan);
        return;
    }
#endif
    (void)level;
    sasrec_serve_scan_plain(scan);
}

/* Writes the k best items of each state, in no order, to `items` and `scores` [n_states][k], and
   their number to `counts`. `sizes` are: items, width, first block, end of blocks, states, k,
   level. Returns how many exact scores were computed, or -1 without memory. */
EXPORT long sasrec_serve_scan(const uint8_t *codes, const float *scales, const float *rests,
                              const float *norms, const float *vectors, const uint8_t *allowed,
                              const float *states, const int64_t *seen, const int64_t *offsets,
                              const int64_t *sizes, int64_t *items, float *scores, int64_t *counts)
{
    long width = sizes[1], n_states = sizes[4], k = sizes[5];
    long groups = groups_of(width), tiles = (n_states + TILE - 1) / TILE;
    Scan scan = {
        .codes = {codes, scales, rests, norms},
        .vectors = vectors,
        .allowed = allowed,
        .n_items = sizes[0],
        .width = width,
        .groups = groups,
        .begin = sizes[2],
        .end = sizes[3],
        .n_states = n_states,
        .states = calloc((size_t)n_states + 1, sizeof(State)),
        .packed = calloc((size_t)(tiles * groups * TILE) + 1, sizeof(int32_t)),
        .wide = calloc((size_t)(tiles * groups * TILE) + 1, sizeof(int64_t)),
        .starts = calloc((size_t)(tiles * TILE) + 1, sizeof(int32_t)),
    };
    double *exact = malloc(((size_t)(n_states * width) + 1) * sizeof(double));
    int8_t *code = calloc((size_t)(groups * GROUP) + 1, 1);
    long found = -1;
    if (scan.states && scan.packed && scan.wide && scan.starts && exact && code) {
        for (long index = 0; index < n_states; index++) {
            State *state = scan.states + index;
            state->exact = exact + index * width;
            state->heap = (Heap){scores + index * k, items + index * k, 0, k};
            state->seen = seen + offsets[index];
            state->n_seen = offsets[index + 1] - offsets[index];
            prepare(state, states + index * width, width, code);
            pack(&scan, index, code);
        }
        run(&scan, sizes[6]);
        for (long index = 0; index < n_states; index++)
            counts[index] = scan.states[index].heap.count;
        found = scan.n_scored;
    }
    free(scan.states);
    free(scan.packed);
    free(scan.wide);
    free(scan.starts);
    free(exact);
    free(code);
    return found;
}

/* Turns item vectors into bytes. */

#include "codes.h"

#include <math.h>
#include <string.h>

/* Compiles a function for several processors; the loader picks the first version that fits. */
#if defined(__x86_64__) && defined(__GLIBC__)
#define MULTIVERSION __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define MULTIVERSION
#endif

static const float TOO_LARGE = 0x1p80f; /* sums of products stay below the largest float32 */
static const float TOO_SMALL = 0x1p-60f; /* all codes of such a vector are 0 */

enum { FINE = 0, NOT_FINITE = 1, NOT_CODED = 2 };

/* A number of at least x as float32, also if x was rounded by a few parts in 10^16. */
static float rounded_up(double x)
{
    return x > 0 ? (float)(x * (1 + 1e-6)) + 1e-38f : 0.0f;
}

/* The largest magnitude in a vector; NaN counts as larger than infinity. */
static inline float largest_magnitude(const float *vector, long width)
{
    uint32_t most = 0;
    for (long i = 0; i < width; i++) {
        uint32_t bits;
        memcpy(&bits, vector + i, sizeof bits);
        bits &= 0x7fffffffu;
        most = bits > most ? bits : most;
    }
    float found;
    memcpy(&found, &most, sizeof found);
    return found;
}

/* Sums of squares, of every LANES-th number: of a vector, of scale * code, and of their
   difference. */
typedef struct {
    double whole[LANES], coded[LANES], rest[LANES];
} Squares;

static inline double total(const double *lanes)
{
    double sum = 0;
    for (int lane = 0; lane < LANES; lane++)
        sum += lanes[lane];
    return sum;
}

/* Codes the next numbers of an item, at most LANES. */
static inline void code_numbers(const float *numbers, int n, float scale, float factor,
                                Squares *squares, uint8_t *codes)
{
    float own[LANES] = {0}, code[LANES];
    memcpy(own, numbers, (size_t)n * sizeof *own);
    for (int lane = 0; lane < LANES; lane++) {
        float rounded = rintf(own[lane] * factor);
        rounded = rounded > LARGEST ? LARGEST : rounded;
        code[lane] = rounded < -LARGEST ? -LARGEST : rounded;
        double whole = own[lane], coded = (double)scale * (double)code[lane], rest = whole - coded;
        squares->whole[lane] += whole * whole;
        squares->coded[lane] += coded * coded;
        squares->rest[lane] += rest * rest;
    }
    for (int lane = 0; lane < n; lane++)
        codes[lane / GROUP * BLOCK * GROUP + lane % GROUP] = (uint8_t)((int)code[lane] + OFFSET);
}

/* Codes one item, and returns its scale. */
static inline float code_item(const float *vector, long width, float largest, Squares *squares,
                              uint8_t *codes)
{
    float scale = largest < TOO_SMALL ? 0.0f : largest / LARGEST;
    float factor = scale > 0 ? 1 / scale : 0.0f;
    long i = 0;
    for (; i + LANES <= width; i += LANES)
        code_numbers(vector + i, LANES, scale, factor, squares, codes + i * BLOCK);
    if (i < width)
        code_numbers(vector + i, (int)(width - i), scale, factor, squares, codes + i * BLOCK);
    return scale;
}

/* Codes the items of the blocks from `begin` to `end`. Returns FINE, NOT_FINITE if a number is NaN or infinite, or NOT_CODED if a number is too
   large; `largest_square` is the square of the largest norm. */
MULTIVERSION EXPORT long sasrec_serve_code(const float *vectors, long n_items, long width, long begin, long end,
                              uint8_t *codes, float *scales, float *rests, float *norms,
                              double *largest_square)
{
    long block_bytes = groups_of(width) * BLOCK * GROUP, outcome = FINE;
    double most = 0;
    for (long block = begin; block < end; block++) {
        double rest_most = 0, norm_most = 0;
        memset(codes + block * block_bytes, OFFSET, (size_t)block_bytes);
        memset(scales + block * BLOCK, 0, BLOCK * sizeof(float));
        for (long place = 0; place < BLOCK && block * BLOCK + place < n_items; place++) {
            const float *vector = vectors + (block * BLOCK + place) * width;
            float largest = largest_magnitude(vector, width);
            if (!isfinite(largest))
                return NOT_FINITE;
            if (largest > TOO_LARGE) {
                outcome = NOT_CODED;
                continue; /* later vectors may be NaN, which must be noticed too */
            }
            Squares squares = {{0}, {0}, {0}};
            scales[block * BLOCK + place] =
                code_item(vector, width, largest, &squares,
                          codes + block * block_bytes + place * GROUP);
            most = fmax(most, total(squares.whole));
            rest_most = fmax(rest_most, total(squares.rest));
            norm_most = fmax(norm_most, total(squares.coded));
        }
        rests[block] = rounded_up(sqrt(rest_most));
        norms[block] = rounded_up(sqrt(norm_most));
    }
    *largest_square = most;
    return outcome;
}

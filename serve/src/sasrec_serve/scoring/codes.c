/* Turns item vectors into bytes. */

#include "codes.h"

#include <math.h>
#include <string.h>

static const float TOO_LARGE = 0x1p80f; /* sums of products stay below the largest float32 */
static const float TOO_SMALL = 0x1p-60f; /* all codes of such a vector are 0 */

enum { FINE = 0, NOT_FINITE = 1, NOT_CODED = 2 };

/* A number of at least x as float32, also if x was rounded by a few parts in 10^16. */
static float rounded_up(double x)
{
    return x > 0 ? (float)(x * (1 + 1e-6)) + 1e-38f : 0.0f;
}

/* The largest magnitude in a vector; NaN counts as larger than infinity. */
static float largest_magnitude(const float *vector, long width)
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

/* Codes one item; the squares of the norms of the rest and of scale * code are returned. */
static float code_item(const float *vector, long width, float largest, uint8_t *codes,
                       double *rest, double *norm)
{
    float scale = largest < TOO_SMALL ? 0.0f : largest / LARGEST;
    float factor = scale > 0 ? 1 / scale : 0.0f;
    double rests[8] = {0}, norms[8] = {0};
    for (long i = 0; i < width; i++) {
        float code = rintf(vector[i] * factor);
        code = code > LARGEST ? LARGEST : code < -LARGEST ? -LARGEST : code;
        double coded = (double)scale * (double)code, left = (double)vector[i] - coded;
        rests[i % 8] += left * left;
        norms[i % 8] += coded * coded;
        codes[(i / GROUP) * BLOCK * GROUP + i % GROUP] = (uint8_t)((int)code + OFFSET);
    }
    *rest = *norm = 0;
    for (int lane = 0; lane < 8; lane++) {
        *rest += rests[lane];
        *norm += norms[lane];
    }
    return scale;
}

/* Codes the items of the blocks from `begin` to `end`. Returns FINE, NOT_FINITE if a number is NaN or infinite, or NOT_CODED if a number is too
   large; `largest_square` is the square of the largest norm. */
EXPORT long sasrec_serve_code(const float *vectors, long n_items, long width, long begin, long end,
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
            double square = 0, rest, norm;
            for (long i = 0; i < width; i++)
                square += (double)vector[i] * (double)vector[i];
            most = square > most ? square : most;
            if (largest > TOO_LARGE) {
                outcome = NOT_CODED;
                continue;
            }
            uint8_t *place_codes = codes + block * block_bytes + place * GROUP;
            scales[block * BLOCK + place] =
                code_item(vector, width, largest, place_codes, &rest, &norm);
            rest_most = rest > rest_most ? rest : rest_most;
            norm_most = norm > norm_most ? norm : norm_most;
        }
        rests[block] = rounded_up(sqrt(rest_most));
        norms[block] = rounded_up(sqrt(norm_most));
    }
    *largest_square = most;
    return outcome;
}

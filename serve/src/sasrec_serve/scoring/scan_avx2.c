/* The scan for processors with AVX2. */

#if defined(__x86_64__)

#include "scan.h"

#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma")))
#define SCAN sasrec_serve_scan_avx2

/* Products of eight items: their codes become 16-bit numbers, as sums of products of bytes do not
   fit into 16 bits. */
TARGET static inline __m256i products(__m256i items, __m256i code, __m256i *low, __m256i *high)
{
    __m256i zero = _mm256_setzero_si256();
    *low = _mm256_add_epi32(*low, _mm256_madd_epi16(_mm256_unpacklo_epi8(items, zero), code));
    *high = _mm256_add_epi32(*high, _mm256_madd_epi16(_mm256_unpackhi_epi8(items, zero), code));
    return zero;
}

TARGET static inline uint32_t above(__m256i sums, const float *scales, float limit)
{
    __m256 scores = _mm256_mul_ps(_mm256_loadu_ps(scales), _mm256_cvtepi32_ps(sums));
    return (uint32_t)_mm256_movemask_ps(
        _mm256_cmp_ps(scores, _mm256_set1_ps(limit), _CMP_GT_OQ));
}

TARGET static inline void hits_avx2(const uint8_t *codes, const float *scales, long groups,
                                    const int32_t *packed, const int64_t *wide,
                                    const int32_t *starts, const float *limits, uint32_t *hits,
                                    int n)
{
    (void)packed;
    for (int j = 0; j < n; j++) {
        __m256i sums[4] = {0};
        for (long g = 0; g < groups; g++) {
            const __m256i *items = (const __m256i *)(codes + g * BLOCK * GROUP);
            __m256i code = _mm256_set1_epi64x(wide[g * TILE + j]);
            products(_mm256_loadu_si256(items), code, sums, sums + 1);
            products(_mm256_loadu_si256(items + 1), code, sums + 2, sums + 3);
        }
        __m256i start = _mm256_set1_epi32(starts[j]);
        __m256i first = _mm256_add_epi32(_mm256_hadd_epi32(sums[0], sums[1]), start);
        __m256i second = _mm256_add_epi32(_mm256_hadd_epi32(sums[2], sums[3]), start);
        hits[j] = above(first, scales, limits[j]) | above(second, scales + 8, limits[j]) << 8;
    }
}

#define HITS hits_avx2
#include "scan_body.h"

#else
typedef int sasrec_serve_no_avx2; /* a file must not be empty */
#endif

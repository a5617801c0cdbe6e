/* The scan for processors with AVX-512 and its instructions for products of bytes (VNNI). */

#if defined(__x86_64__)

#include "scan.h"

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma")))
#define SCAN sasrec_serve_scan_vnni

TARGET static inline uint32_t above(__m512i sums, __m512 scales, float limit)
{
    __m512 scores = _mm512_mul_ps(scales, _mm512_cvtepi32_ps(sums));
    return _mm512_cmp_ps_mask(scores, _mm512_set1_ps(limit), _CMP_GT_OQ);
}

TARGET static inline __attribute__((always_inline)) void
compared(const uint8_t *codes, __m512 scales, long groups, const int32_t *packed,
         const int32_t *starts, const float *limits, uint32_t *hits, int n)
{
    __m512i sums[TILE];
    for (int j = 0; j < n; j++)
        sums[j] = _mm512_set1_epi32(starts[j]);
    for (long g = 0; g < groups; g++) {
        __m512i items = _mm512_loadu_si512(codes + g * BLOCK * GROUP);
        for (int j = 0; j < n; j++)
            sums[j] = _mm512_dpbusd_epi32(sums[j], items, _mm512_set1_epi32(packed[g * TILE + j]));
    }
    for (int j = 0; j < n; j++)
        hits[j] = above(sums[j], scales, limits[j]);
}

TARGET static inline void hits_vnni(const uint8_t *codes, const float *scales, long groups,
                                    const int32_t *packed, const int64_t *wide,
                                    const int32_t *starts, const float *limits, uint32_t *hits,
                                    int n)
{
    (void)wide;
    __m512 own = _mm512_loadu_ps(scales);
    if (n == 1)
        compared(codes, own, groups, packed, starts, limits, hits, 1);
    else if (n == 2)
        compared(codes, own, groups, packed, starts, limits, hits, 2);
    else if (n <= 4)
        compared(codes, own, groups, packed, starts, limits, hits, 4);
    else
        compared(codes, own, groups, packed, starts, limits, hits, 8);
}

#define HITS hits_vnni
#include "scan_body.h"

#else
typedef int sasrec_serve_no_vnni; /* a file must not be empty */
#endif

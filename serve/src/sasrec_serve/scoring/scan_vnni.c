/* The scan for processors with AVX-512 and its instructions for products of bytes (VNNI). */

#if defined(__x86_64__)

#include "codes.h"

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma")))
#define SCAN sasrec_serve_scan_vnni

TARGET static inline uint32_t above(__m512i sums, __m512 scales, float limit)
{
    __m512 scores = _mm512_mul_ps(scales, _mm512_cvtepi32_ps(sums));
    return _mm512_cmp_ps_mask(scores, _mm512_set1_ps(limit), _CMP_GT_OQ);
}

TARGET static inline void hits_vnni(const uint8_t *codes, const float *scales, long groups,
                                    const int32_t *packed, const int64_t *wide,
                                    const int32_t *starts, const float *limits, uint32_t *hits,
                                    int n)
{
    (void)wide;
    __m512 own = _mm512_loadu_ps(scales);
    if (n == 1) { /* two sums, as one would wait for its own last product */
        __m512i sum = _mm512_set1_epi32(starts[0]), other = _mm512_setzero_si512();
        long g = 0;
        for (; g + 2 <= groups; g += 2) {
            sum = _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(codes + g * 64),
                                      _mm512_set1_epi32(packed[g * 4]));
            other = _mm512_dpbusd_epi32(other, _mm512_loadu_si512(codes + g * 64 + 64),
                                        _mm512_set1_epi32(packed[g * 4 + 4]));
        }
        if (g < groups)
            sum = _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(codes + g * 64),
                                      _mm512_set1_epi32(packed[g * 4]));
        hits[0] = above(_mm512_add_epi32(sum, other), own, limits[0]);
        return;
    }
    __m512i sums[4];
    for (int j = 0; j < 4; j++)
        sums[j] = _mm512_set1_epi32(starts[j]);
    for (long g = 0; g < groups; g++) {
        __m512i items = _mm512_loadu_si512(codes + g * 64);
        for (int j = 0; j < 4; j++)
            sums[j] = _mm512_dpbusd_epi32(sums[j], items, _mm512_set1_epi32(packed[g * 4 + j]));
    }
    for (int j = 0; j < n; j++)
        hits[j] = above(sums[j], own, limits[j]);
}

#define HITS hits_vnni
#include "scan_body.h"

#else
typedef int sasrec_serve_no_vnni; /* a file must not be empty */
#endif

/* Arithmetic on 16 floats at once, in the lanes of an AVX-512 register. */

#ifndef SASREC_LANES_H
#define SASREC_LANES_H

#include "tiles.h"

#define LOG2_E 1.44269504f

/* Whether a sum of exponentials is safely away from overflow and underflow; false for NaN. */
static inline int is_safe(float sum) { return sum > 1e-30f && sum < 1e30f; }

/* 2 to the power of x with a relative error of 8e-5; the resolution of bfloat16 is 2e-3. Returns
   infinity from 128 on, 0 far below 0, and NaN for NaN. */
AVX512 static inline __m512 power_of_two(__m512 x)
{
    const __m512 rest = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF); /* x - floor(x) */
    __m512 power = _mm512_set1_ps(7.80245200e-2f);
    power = _mm512_fmadd_ps(power, rest, _mm512_set1_ps(2.26067159e-1f));
    power = _mm512_fmadd_ps(power, rest, _mm512_set1_ps(6.95833539e-1f));
    power = _mm512_fmadd_ps(power, rest, _mm512_set1_ps(9.99925219e-1f));
    return _mm512_scalef_ps(power, x); /* times 2 to the power of floor(x) */
}

AVX512 static inline __m512 exponential(__m512 x)
{
    return power_of_two(_mm512_mul_ps(x, _mm512_set1_ps(LOG2_E)));
}

/* Convert two rows of floats to pairs of bfloat16, with the first row's value in the lower half. */
AVX512 static inline __m512i interleaved(__m512 first, __m512 second)
{
    const __m512i order =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(second, first));
}

/* Convert 32 floats, given as two halves, to bfloat16 in the same order. */
AVX512 static inline __m512i narrowed(__m512 first, __m512 second)
{
    return (__m512i)_mm512_cvtne2ps_pbh(second, first);
}

AVX512 static inline bfloat16 narrow_one(float value)
{
    return (bfloat16)_mm_cvtsi128_si32((__m128i)_mm_cvtneps_pbh(_mm_set_ss(value)));
}

/* Convert 16 bfloat16 values to floats. */
AVX512 static inline __m512 widened(const bfloat16 *values)
{
    const __m256i narrow = _mm256_loadu_si256((const __m256i *)values);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow), 16));
}

/* Convert 16 floats to bfloat16 and store them. */
AVX512 static inline void store_narrow(bfloat16 *values, __m512 floats)
{
    _mm256_storeu_si256((__m256i *)values, (__m256i)_mm512_cvtneps_pbh(floats));
}

/* The Gaussian error linear unit x Phi(x) (Hendrycks & Gimpel 2016, arXiv:1606.08415), and its
   derivative Phi(x) + x phi(x). Phi uses formula 7.1.26 of Abramowitz & Stegun 1964. */
AVX512 static inline __m512 gelu(__m512 x, __m512 *slope)
{
    const __m512 one = _mm512_set1_ps(1.0f);
    const __m512 size = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.70710678f));
    const __m512 bell = exponential(_mm512_sub_ps(_mm512_setzero_ps(), _mm512_mul_ps(size, size)));
    const __m512 below = _mm512_fmadd_ps(size, _mm512_set1_ps(0.3275911f), one);
    __m512 part = _mm512_rcp14_ps(below);
    part = _mm512_mul_ps(part, _mm512_fnmadd_ps(below, part, _mm512_set1_ps(2.0f)));
    __m512 tail = _mm512_set1_ps(0.5307027f);
    tail = _mm512_fmadd_ps(tail, part, _mm512_set1_ps(-0.7265760f));
    tail = _mm512_fmadd_ps(tail, part, _mm512_set1_ps(0.7107069f));
    tail = _mm512_fmadd_ps(tail, part, _mm512_set1_ps(-0.1422484f));
    tail = _mm512_fmadd_ps(tail, part, _mm512_set1_ps(0.1274148f));
    tail = _mm512_mul_ps(_mm512_mul_ps(tail, part), bell); /* Phi(-|x|) */
    const __mmask16 positive = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ);
    const __m512 phi = _mm512_mask_sub_ps(tail, positive, one, tail);
    *slope = _mm512_fmadd_ps(_mm512_mul_ps(x, _mm512_set1_ps(0.39894228f)), bell, phi);
    return _mm512_mul_ps(x, phi);
}

/* Transpose 16 x 16 words of 32 bits. */
AVX512 static inline void transpose(__m512i *rows)
{
    __m512i mixed[16];
#pragma GCC unroll 8
    for (int row = 0; row < 16; row += 2) {
        mixed[row] = _mm512_unpacklo_epi32(rows[row], rows[row + 1]);
        mixed[row + 1] = _mm512_unpackhi_epi32(rows[row], rows[row + 1]);
    }
#pragma GCC unroll 4
    for (int row = 0; row < 16; row += 4) {
        rows[row] = _mm512_unpacklo_epi64(mixed[row], mixed[row + 2]);
        rows[row + 1] = _mm512_unpackhi_epi64(mixed[row], mixed[row + 2]);
        rows[row + 2] = _mm512_unpacklo_epi64(mixed[row + 1], mixed[row + 3]);
        rows[row + 3] = _mm512_unpackhi_epi64(mixed[row + 1], mixed[row + 3]);
    }
    /* Now lane q of rows[4 g + c] holds column 4 q + c of rows 4 g to 4 g + 3. */
#pragma GCC unroll 4
    for (int column = 0; column < 4; column++) {
        const __m512i *group = rows + column;
        const __m512i low = _mm512_shuffle_i32x4(group[0], group[4], 0x88);
        const __m512i high = _mm512_shuffle_i32x4(group[8], group[12], 0x88);
        const __m512i low_odd = _mm512_shuffle_i32x4(group[0], group[4], 0xdd);
        const __m512i high_odd = _mm512_shuffle_i32x4(group[8], group[12], 0xdd);
        mixed[column] = _mm512_shuffle_i32x4(low, high, 0x88);
        mixed[column + 8] = _mm512_shuffle_i32x4(low, high, 0xdd);
        mixed[column + 4] = _mm512_shuffle_i32x4(low_odd, high_odd, 0x88);
        mixed[column + 12] = _mm512_shuffle_i32x4(low_odd, high_odd, 0xdd);
    }
#pragma GCC unroll 16
    for (int row = 0; row < 16; row++)
        rows[row] = mixed[row];
}

#endif

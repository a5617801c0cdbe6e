/* Kinds of gaps in time between the events of a window, for the bias of attention scores. */

#include "bias.h"
#include "team.h"

typedef struct {
    const double *times;    /* [rows, columns]; null where nobody knows them */
    const uint8_t *untimed; /* [rows], 1 where a window is not to know them; null for none */
    long rows, columns;
    uint8_t *numbers;
} Work;

/* 0 below one unit of time, then one kind for each doubling; negative gaps count as 0. */
LANES static __m128i kinds_of(const double *times, double key)
{
    const __m512d begin = _mm512_set1_pd(key);
    const __m256 first = _mm512_cvtpd_ps(_mm512_sub_pd(_mm512_loadu_pd(times), begin));
    const __m256 second = _mm512_cvtpd_ps(_mm512_sub_pd(_mm512_loadu_pd(times + 8), begin));
    const __m512 gaps = _mm512_insertf32x8(_mm512_castps256_ps512(first), second, 1);
    const __m512 least = _mm512_max_ps(gaps, _mm512_set1_ps(0.5f));
    const __m512 doublings = _mm512_add_ps(_mm512_getexp_ps(least), _mm512_set1_ps(1.0f));
    const __m512 kinds = _mm512_min_ps(doublings, _mm512_set1_ps(UNKNOWN - 1));
    return _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(kinds));
}

LANES static void share(void *given, long member, long size)
{
    const Work *work = given;
    const long columns = work->columns, padded = padded_to_blocks(columns);
    double times[padded];
    for (long row = begins(work->rows, member, size); row < begins(work->rows, member + 1, size);
         row++) {
        uint8_t *numbers = work->numbers + row * padded * padded;
        if (!work->times || (work->untimed && work->untimed[row])) {
            __builtin_memset(numbers, UNKNOWN, (size_t)(padded * padded));
            continue;
        }
        /* Filling takes the last time, so that it meets no gap that is not there. */
        for (long at = 0; at < padded; at++)
            times[at] = work->times[row * columns + (at < columns ? at : columns - 1)];
        for (long key = 0; key < padded; key++)
            for (long query = 0; query < padded; query += SIDE)
                _mm_storeu_si128((__m128i *)(numbers + key * padded + query),
                                 kinds_of(times + query, times[key]));
    }
}

/* Write numbers [rows, padded keys, padded queries]. */
EXPORT void sasrec_gaps(const double *times, const uint8_t *untimed, long rows, long columns,
                        uint8_t *numbers, long threads)
{
    Work work = {times, untimed, rows, columns, numbers};
    together(share, &work, threads);
}

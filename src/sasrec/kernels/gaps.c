/* Buckets of the time gaps between the events of a window, for the bias of attention scores. */

#include "bias.h"
#include "thread_pool.h"

typedef struct {
    const double *times;    /* [rows, columns]; null if unknown */
    const uint8_t *untimed; /* [rows], 1 if a window's times are to be ignored; null for none */
    long rows, columns;
    uint8_t *numbers;
} Work;

/* Bucket 0 below one unit of time, then one bucket for each doubling; negative gaps count as 0. */
AVX512 static __m128i buckets_of(const double *times, double key)
{
    const __m512d begin = _mm512_set1_pd(key);
    const __m256 first = _mm512_cvtpd_ps(_mm512_sub_pd(_mm512_loadu_pd(times), begin));
    const __m256 second = _mm512_cvtpd_ps(_mm512_sub_pd(_mm512_loadu_pd(times + 8), begin));
    const __m512 gaps = _mm512_insertf32x8(_mm512_castps256_ps512(first), second, 1);
    const __m512 least = _mm512_max_ps(gaps, _mm512_set1_ps(0.5f));
    const __m512 doublings = _mm512_add_ps(_mm512_getexp_ps(least), _mm512_set1_ps(1.0f));
    const __m512 buckets = _mm512_min_ps(doublings, _mm512_set1_ps(UNKNOWN - 1));
    return _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(buckets));
}

AVX512 static void share(void *given, long thread, long size)
{
    const Work *work = given;
    const long columns = work->columns, padded = padded_to_blocks(columns);
    double times[padded];
    for (long row = share_start(work->rows, thread, size);
         row < share_start(work->rows, thread + 1, size); row++) {
        uint8_t *numbers = work->numbers + row * padded * padded;
        if (!work->times || (work->untimed && work->untimed[row])) {
            __builtin_memset(numbers, UNKNOWN, (size_t)(padded * padded));
            continue;
        }
        /* Padding repeats the last time, so that it adds no new gaps. */
        for (long at = 0; at < padded; at++)
            times[at] = work->times[row * columns + (at < columns ? at : columns - 1)];
        for (long key = 0; key < padded; key++)
            for (long query = 0; query < padded; query += SIDE)
                _mm_storeu_si128((__m128i *)(numbers + key * padded + query),
                                 buckets_of(times + query, times[key]));
    }
}

/* Write the bucket numbers [rows, padded keys, padded queries]. */
EXPORT void sasrec_gaps(const double *times, const uint8_t *untimed, long rows, long columns,
                        uint8_t *numbers, long threads)
{
    Work work = {times, untimed, rows, columns, numbers};
    run_in_pool(share, &work, threads);
}

/* The scan for any processor. */

#include "scan.h"

#define TARGET
#define SCAN sasrec_serve_scan_plain

static inline void hits_plain(const uint8_t *codes, const float *scales, long groups,
                              const int32_t *packed, const int64_t *wide, const int32_t *starts,
                              const float *limits, uint32_t *hits, int n)
{
    (void)packed;
    for (int j = 0; j < n; j++) {
        int32_t sums[BLOCK];
        for (int item = 0; item < BLOCK; item++)
            sums[item] = starts[j];
        for (long g = 0; g < groups; g++) {
            const int16_t *code = (const int16_t *)(wide + g * TILE + j);
            const uint8_t *items = codes + g * BLOCK * GROUP;
            for (int item = 0; item < BLOCK; item++)
                for (int i = 0; i < GROUP; i++)
                    sums[item] += (int32_t)items[item * GROUP + i] * code[i];
        }
        hits[j] = 0;
        for (int item = 0; item < BLOCK; item++)
            hits[j] |= (uint32_t)(scales[item] * (float)sums[item] > limits[j]) << item;
    }
}

#define HITS hits_plain
#include "scan_body.h"

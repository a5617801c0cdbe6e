/* What a scan for the highest scores reads and writes. */

#ifndef SASREC_SERVE_SCAN_H
#define SASREC_SERVE_SCAN_H

#include "codes.h"

enum { TILE = 8 }; /* states whose products with a block are computed together */

/* The best items of one state so far: a heap with the worst of them first. */
typedef struct {
    float *scores;
    int64_t *items;
    long count, most;
} Heap;

/* A state, scaled by a power of two so that its largest number is from 1 to 2, and its code:
   the scaled state is about step * code. Bounds are in units of `step`. */
typedef struct {
    double *exact;              /* [width], not scaled */
    double scale;               /* the power of two */
    double step;
    float rest_factor, norm_factor, slack;
    float threshold;            /* the score of the worst item in the full heap */
    Heap heap;
    const int64_t *seen;        /* ascending item numbers that are left out */
    long n_seen;
} State;

typedef struct {
    Codes codes;
    const float *vectors;       /* [V][width] */
    const uint8_t *allowed;     /* [V] */
    long n_items, width, groups, begin, end; /* begin and end are blocks */
    State *states;
    long n_states;
    int32_t *packed;            /* [tiles][groups][TILE], four codes of a state each */
    int64_t *wide;              /* the same as four 16-bit numbers each */
    int32_t *starts;            /* [tiles][TILE], what corrects the offset of the items' codes */
    long n_scored;              /* items whose exact scores were computed */
} Scan;

void sasrec_serve_scan_plain(Scan *scan);
#if defined(__x86_64__)
void sasrec_serve_scan_avx2(Scan *scan);
void sasrec_serve_scan_vnni(Scan *scan);
#endif

#endif

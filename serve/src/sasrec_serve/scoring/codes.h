/* Item vectors as bytes. */

#ifndef SASREC_SERVE_CODES_H
#define SASREC_SERVE_CODES_H

#include <stdint.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

enum {
    LANES = 8,    /* sums that are computed side by side */
    BLOCK = 16,   /* items side by side */
    GROUP = 4,    /* numbers of one item side by side, which one instruction multiplies and adds */
    LARGEST = 127,
    OFFSET = 128, /* codes are stored as unsigned bytes */
};

/* The codes of all items. Item v is about scale * code; the rest is v - scale * code. */
typedef struct {
    const uint8_t *codes;  /* [blocks][groups][BLOCK][GROUP], code + OFFSET */
    const float *scales;   /* [blocks][BLOCK] */
    const float *rests;    /* [blocks], upper bound of |v - scale * code| */
    const float *norms;    /* [blocks], upper bound of |scale * code| */
} Codes;

static inline long groups_of(long width)
{
    return (width + GROUP - 1) / GROUP;
}

#endif

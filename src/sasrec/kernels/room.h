/* Room: working memory that the caller gives, handed out piece by piece. */

#ifndef SASREC_ROOM_H
#define SASREC_ROOM_H

#include "tiles.h"

enum { ALIGNED = 64 }; /* bytes; tiles begin at multiples of it */

typedef struct {
    char *at;
} Room;

static inline long rounded(long bytes) { return (bytes + ALIGNED - 1) / ALIGNED * ALIGNED; }

/* The room of a thread, of which each has `bytes`. */
static inline Room room_of(char *all, long bytes, long member)
{
    return (Room){all + -(uintptr_t)all % ALIGNED + member * rounded(bytes)};
}

/* What to ask for so that each of some threads has `bytes`. */
static inline long room_for_all(long bytes, long threads)
{
    return threads * rounded(bytes) + ALIGNED;
}

static inline void *take(Room *room, long bytes)
{
    char *here = room->at;
    room->at += rounded(bytes);
    return here;
}

static inline bfloat16 *take_narrow(Room *room, long count)
{
    return take(room, count * (long)sizeof(bfloat16));
}

static inline float *take_floats(Room *room, long count)
{
    return take(room, count * (long)sizeof(float));
}

#endif

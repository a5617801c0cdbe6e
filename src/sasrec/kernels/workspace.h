/* Workspace: working memory provided by the caller, from which arrays are allocated. */

#ifndef SASREC_WORKSPACE_H
#define SASREC_WORKSPACE_H

#include "tiles.h"

enum { ALIGNED = 64 }; /* bytes; the start of every array is a multiple of it */

typedef struct {
    char *at;
} Workspace;

static inline long aligned(long bytes) { return (bytes + ALIGNED - 1) / ALIGNED * ALIGNED; }

/* The workspace of one thread, if each thread has `bytes`. */
static inline Workspace workspace_of(char *all, long bytes, long thread)
{
    return (Workspace){all + -(uintptr_t)all % ALIGNED + thread * aligned(bytes)};
}

/* The total size, in bytes, that gives each of some threads `bytes`. */
static inline long workspace_bytes(long bytes, long threads)
{
    return threads * aligned(bytes) + ALIGNED;
}

static inline void *take(Workspace *workspace, long bytes)
{
    char *here = workspace->at;
    workspace->at += aligned(bytes);
    return here;
}

static inline bfloat16 *take_narrow(Workspace *workspace, long count)
{
    return take(workspace, count * (long)sizeof(bfloat16));
}

static inline float *take_floats(Workspace *workspace, long count)
{
    return take(workspace, count * (long)sizeof(float));
}

#endif

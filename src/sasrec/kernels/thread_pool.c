/* See thread_pool.h. */

#include "thread_pool.h"
#include "tiles.h"

typedef void Fork(void (*)(void *), void *, unsigned, unsigned);
typedef int Number(void);

static Fork *start_pool;
static Number *thread_number, *thread_count;

typedef struct {
    Task *share;
    void *work;
    long size;
} Job;

/* Set the functions GOMP_parallel, omp_get_thread_num and omp_get_num_threads, which must be those
   of the OpenMP library that PyTorch has loaded. */
EXPORT void sasrec_pool(Fork *fork, Number *number, Number *count)
{
    start_pool = fork;
    thread_number = number;
    thread_count = count;
}

/* The hash of the sources that this library was built from; setup.py defines it. */
EXPORT long sasrec_interface(void) { return SASREC_INTERFACE; }

/* OpenMP may start fewer threads than requested; each thread then runs several shares. */
static void run_shares(void *given)
{
    const Job *job = given;
    for (long share = thread_number(); share < job->size; share += thread_count())
        job->share(job->work, share, job->size);
}

void run_in_pool(Task *share, void *work, long size)
{
    Job job = {share, work, size};
    if (size > 1 && start_pool)
        start_pool(run_shares, &job, (unsigned)size, 0);
    else
        for (long thread = 0; thread < size; thread++)
            share(work, thread, size);
}

/* Thread pool: run work on PyTorch's own OpenMP threads, which are idle during a kernel. */

#ifndef SASREC_THREAD_POOL_H
#define SASREC_THREAD_POOL_H

/* A function that does one thread's share of the work; `thread` is from 0 to size - 1. */
typedef void Task(void *work, long thread, long size);

void run_in_pool(Task *share, void *work, long size);

/* Index of the first of `count` pieces that belongs to a thread; for thread `size`, the end. */
static inline long share_start(long count, long thread, long size) { return count * thread / size; }

#endif

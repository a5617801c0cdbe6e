/* See team.h. */

#include "team.h"
#include "tiles.h"

typedef void Fork(void (*)(void *), void *, unsigned, unsigned);
typedef int Number(void);

static Fork *fork_team;
static Number *my_number, *present;

typedef struct {
    Share *share;
    void *work;
    long size;
} Order;

/* Given GOMP_parallel, omp_get_thread_num and omp_get_num_threads of the OpenMP library that
   PyTorch has loaded. */
EXPORT void sasrec_team(Fork *fork, Number *number, Number *count)
{
    fork_team = fork;
    my_number = number;
    present = count;
}

/* The number of the sources this was built from, given by setup.py. */
EXPORT long sasrec_interface(void) { return SASREC_INTERFACE; }

/* A thread takes the shares of those that did not come: fewer may be had than were asked for. */
static void member(void *given)
{
    const Order *order = given;
    for (long share = my_number(); share < order->size; share += present())
        order->share(order->work, share, order->size);
}

void together(Share *share, void *work, long size)
{
    Order order = {share, work, size};
    if (size > 1 && fork_team)
        fork_team(member, &order, (unsigned)size, 0);
    else
        for (long alone = 0; alone < size; alone++)
            share(work, alone, size);
}

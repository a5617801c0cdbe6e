/* See team.h. */

#include "team.h"

typedef void Fork(void (*)(void *), void *, unsigned, unsigned);
typedef int Number(void);

static Fork *fork_team;
static Number *my_number;

typedef struct {
    Share *share;
    void *work;
    long size;
} Order;

/* Given GOMP_parallel and omp_get_thread_num of the OpenMP library that PyTorch has loaded. */
void sasrec_team(Fork *fork, Number *number)
{
    fork_team = fork;
    my_number = number;
}

static void member(void *given)
{
    const Order *order = given;
    order->share(order->work, my_number(), order->size);
}

void together(Share *share, void *work, long size)
{
    Order order = {share, work, size};
    if (size < 2 || !fork_team)
        share(work, 0, 1);
    else
        fork_team(member, &order, (unsigned)size, 0);
}

/* Whole epochs of models that compare a target with one negative (BPR, Rendle et al. 2009,
   arXiv:1205.2618). After each batch, Adam updates the weights, and their average is updated.

   With x = score(target) - score(negative) and B pairs in a batch,

       loss = mean over pairs of  log(1 + exp(-x)),     d loss / d x = -1 / (1 + exp(x)) / B.

   The score is a sum of products of two rows each; in TransRec it is a bias minus a distance. A
   step has three parts, each divided among the threads: the slope d loss / d x of each pair; the
   sums of the gradients by row, where each row belongs to one thread, so that the order of the sums
   is always the same; and the update. */

#include "workspace.h"
#include "thread_pool.h"

#include <math.h>
#include <stdint.h>

/* Compiles a function for several processors; the loader picks the first version that fits. */
#define MULTIVERSION __attribute__((target_clones("avx512f", "avx2", "default")))

enum { USER, LAST, TARGET, NEGATIVE, COLUMNS };
enum { TRANSLATED = 0 }; /* number of products for TransRec, whose scores are distances */

/* A weight matrix, the sum of its gradients (zero between steps), Adam's state, and the average of
   the weights. */
typedef struct {
    float *weights, *gradients, *first, *second, *average;
    long rows, width;
} Table;

typedef struct {
    double rate, decay_first, decay_second, epsilon, averaging, under_root, length_weight;
} Rates;

typedef struct {
    const Table *tables;
    long factors, left_by[2], count, width; /* width: of the vectors of TransRec, otherwise 0 */
    const int32_t (*events)[COLUMNS];       /* the pairs of this batch */
    float *slope;                           /* d loss / d x of each pair */
    float *left, *item, *other;             /* TransRec: gradients of each pair's vectors */
    double *losses;                         /* for each thread */
    float step_size, root_share, epsilon, keep_first, keep_second, averaging;
    float under_root, length_weight;
} Work;

/* The tables of TransRec: users, items, biases, and the translation added to each state. */
enum { USERS, ITEMS, BIASES, TRANSLATION };

static inline float *row_of(const Table *table, long row)
{
    return table->weights + row * table->width;
}

/* To save logarithms, the loss is the sum of the logarithms of products of this many factors. */
enum { FACTORS = 32 };

typedef struct {
    double sum, product;
    long count;
} Total;

static inline void multiply_in(Total *total, double factor)
{
    total->product *= factor;
    if (++total->count % FACTORS == 0) {
        total->sum += log(total->product);
        total->product = 1;
    }
}

/* Add the loss of a pair, and store its slope. */
static inline void add_loss(const Work *work, long pair, float difference, Total *total)
{
    const float small = expf(-fabsf(difference));
    const float chance = (difference > 0 ? small : 1.0f) / (1.0f + small); /* sigmoid(-x) */
    work->slope[pair] = -chance / (float)work->count;
    total->sum += difference > 0 ? 0.0 : -(double)difference;
    multiply_in(total, 1.0 + (double)small);
}

MULTIVERSION static double products(const Work *work, long begin, long end)
{
    Total total = {.product = 1};
    for (long pair = begin; pair < end; pair++) {
        const int32_t *events = work->events[pair];
        float difference = 0;
        for (long factor = 0; factor < work->factors; factor++) {
            const Table *lefts = work->tables + 2 * factor, *rights = lefts + 1;
            const float *left = row_of(lefts, events[work->left_by[factor]]);
            const float *target = row_of(rights, events[TARGET]);
            const float *negative = row_of(rights, events[NEGATIVE]);
            float sum = 0;
#pragma omp simd reduction(+ : sum)
            for (long at = 0; at < lefts->width; at++)
                sum += left[at] * (target[at] - negative[at]);
            difference += sum;
        }
        add_loss(work, pair, difference, &total);
    }
    return total.sum + log(total.product);
}

/* With s = U[user] + T + E[last], the score is b[item] - |s - E[item]|. */
MULTIVERSION static double translations(const Work *work, long begin, long end)
{
    const Table *tables = work->tables, *items = tables + ITEMS;
    const float *shift = tables[TRANSLATION].weights, *biases = tables[BIASES].weights;
    Total total = {.product = 1};
    for (long pair = begin; pair < end; pair++) {
        const long target = work->events[pair][TARGET], negative = work->events[pair][NEGATIVE];
        const float *user = row_of(tables + USERS, work->events[pair][USER]);
        const float *last = row_of(items, work->events[pair][LAST]);
        const float *near = row_of(items, target), *far = row_of(items, negative);
        float *to_left = work->left + pair * work->width;
        float *to_item = work->item + pair * work->width;
        float *to_other = work->other + pair * work->width;
        float to_near = work->under_root, to_far = work->under_root;
#pragma omp simd reduction(+ : to_near, to_far)
        for (long at = 0; at < work->width; at++) {
            const float state = user[at] + last[at] + shift[at];
            to_item[at] = state - near[at];
            to_other[at] = state - far[at];
            to_near += to_item[at] * to_item[at];
            to_far += to_other[at] * to_other[at];
        }
        to_near = sqrtf(to_near);
        to_far = sqrtf(to_far);
        add_loss(work, pair, biases[target] - to_near - biases[negative] + to_far, &total);
        const float nearer = work->slope[pair] / to_near, farther = work->slope[pair] / to_far;
#pragma omp simd
        for (long at = 0; at < work->width; at++) {
            to_item[at] *= nearer;
            to_other[at] *= -farther;
            to_left[at] = -to_item[at] - to_other[at];
        }
    }
    return total.sum + log(total.product);
}

static void find_pair_gradients(void *given, long thread, long size)
{
    const Work *work = given;
    const long begin = share_start(work->count, thread, size);
    const long end = share_start(work->count, thread + 1, size);
    work->losses[thread] =
        work->factors == TRANSLATED ? translations(work, begin, end) : products(work, begin, end);
}

/* Whether a thread sums the gradients of a row; row 0 (padding or unknown user) is
   never changed. */
static inline int is_own(long row, long thread, long size)
{
    return row > 0 && (uint32_t)row % (uint32_t)size == (uint32_t)thread;
}

/* Add each pair's vector to the gradient of its row. */
MULTIVERSION static void add_vectors(const Work *work, const Table *table, long column,
                                     const float *vectors, long thread, long size)
{
    for (long pair = 0; pair < work->count; pair++) {
        const long row = work->events[pair][column];
        if (!is_own(row, thread, size))
            continue;
        const float *vector = vectors + pair * work->width;
        float *gradients = table->gradients + row * table->width;
#pragma omp simd
        for (long at = 0; at < table->width; at++)
            gradients[at] += vector[at];
    }
}

/* Add the gradients of a product's three rows. */
MULTIVERSION static void add_rows(const Work *work, const Table *lefts, long by, long thread,
                                  long size)
{
    const Table *rights = lefts + 1;
    const long width = lefts->width;
    for (long pair = 0; pair < work->count; pair++) {
        const int32_t *events = work->events[pair];
        const float slope = work->slope[pair];
        const float *left = row_of(lefts, events[by]);
        const float *target = row_of(rights, events[TARGET]);
        const float *negative = row_of(rights, events[NEGATIVE]);
        float *to_left = lefts->gradients + events[by] * width;
        float *to_target = rights->gradients + events[TARGET] * width;
        float *to_negative = rights->gradients + events[NEGATIVE] * width;
        if (is_own(events[by], thread, size)) {
#pragma omp simd
            for (long at = 0; at < width; at++)
                to_left[at] += slope * (target[at] - negative[at]);
        }
        if (is_own(events[TARGET], thread, size)) {
#pragma omp simd
            for (long at = 0; at < width; at++)
                to_target[at] += slope * left[at];
        }
        if (is_own(events[NEGATIVE], thread, size)) {
#pragma omp simd
            for (long at = 0; at < width; at++)
                to_negative[at] -= slope * left[at];
        }
    }
}

static void add_up_biases(const Work *work, long thread, long size)
{
    float *gradients = work->tables[BIASES].gradients;
    for (long pair = 0; pair < work->count; pair++) {
        const long target = work->events[pair][TARGET], negative = work->events[pair][NEGATIVE];
        if (is_own(target, thread, size))
            gradients[target] += work->slope[pair];
        if (is_own(negative, thread, size))
            gradients[negative] -= work->slope[pair];
    }
}

MULTIVERSION static void add_up_translation(const Work *work)
{
    const Table *table = work->tables + TRANSLATION;
    for (long pair = 0; pair < work->count; pair++) {
        const float *vector = work->left + pair * work->width;
#pragma omp simd
        for (long at = 0; at < table->width; at++)
            table->gradients[at] += vector[at];
    }
    for (long at = 0; at < table->width; at++) {
        const float weight = table->weights[at];
        table->gradients[at] += work->length_weight * (float)((weight > 0) - (weight < 0));
    }
}

static void add_up_gradients(void *given, long thread, long size)
{
    const Work *work = given;
    const Table *tables = work->tables;
    if (work->factors == TRANSLATED) {
        add_vectors(work, tables + USERS, USER, work->left, thread, size);
        add_vectors(work, tables + ITEMS, LAST, work->left, thread, size);
        add_vectors(work, tables + ITEMS, TARGET, work->item, thread, size);
        add_vectors(work, tables + ITEMS, NEGATIVE, work->other, thread, size);
        add_up_biases(work, thread, size);
        if (thread == 0)
            add_up_translation(work);
        return;
    }
    for (long factor = 0; factor < work->factors; factor++)
        add_rows(work, tables + 2 * factor, work->left_by[factor], thread, size);
}

/* Work is divided among threads in multiples of this many weights. Loops round differently at the
   end, where a register is not full, so the ends must not depend on the number of threads. */
enum { PART = 64 };

/* Adam (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1) and the average, on a part of a table. */
MULTIVERSION static void update_some(const Work *work, const Table *table, long begin, long end)
{
    float *restrict weights = table->weights, *restrict gradients = table->gradients;
    float *restrict first = table->first, *restrict second = table->second;
    float *restrict average = table->average;
    const float step = work->step_size, share = work->root_share, epsilon = work->epsilon;
    const float one = work->keep_first, two = work->keep_second, averaging = work->averaging;
#pragma omp simd
    for (long at = begin; at < end; at++) {
        const float slope = gradients[at];
        first[at] += (1 - one) * (slope - first[at]);
        second[at] = two * second[at] + (1 - two) * slope * slope;
        weights[at] -= step * first[at] / (sqrtf(second[at]) * share + epsilon);
        average[at] = weights[at] - averaging * (weights[at] - average[at]);
        gradients[at] = 0;
    }
}

static void update(void *given, long thread, long size)
{
    const Work *work = given;
    const long count = work->factors == TRANSLATED ? TRANSLATION + 1 : 2 * work->factors;
    for (long which = 0; which < count; which++) {
        const Table *table = work->tables + which;
        const long all = table->rows * table->width, parts = (all + PART - 1) / PART;
        const long begin = share_start(parts, thread, size) * PART;
        const long end = share_start(parts, thread + 1, size) * PART;
        update_some(work, table, begin, end < all ? end : all);
    }
}

static double length_of(const Table *table)
{
    double sum = 0;
    for (long at = 0; at < table->width; at++)
        sum += fabs((double)table->weights[at]);
    return sum;
}

/* Size in bytes of the workspace of sasrec_pairs; `width` is that of TransRec's vectors, or 0. */
EXPORT long sasrec_pairs_workspace(long batch, long width, long threads)
{
    return 3 * aligned(batch * width * (long)sizeof(float)) + aligned(batch * (long)sizeof(float)) +
           aligned(threads * (long)sizeof(double)) + ALIGNED;
}

/* Train on some pairs, `batch` at a time.

   `events` has `count` rows of four numbers: user, last item, target, negative. `factors` is the
   number of products in a score; the left row of each is selected by the user (`left_by` 0) or by
   the last item (1). `factors` 0 means TransRec. `steps` and `averages` are the numbers of earlier
   steps of Adam and updates of the average. Writes the loss of each batch and returns the number of
   steps taken: at a loss that is not finite, it stops without changing the weights. */
EXPORT long sasrec_pairs(const Table *tables, long factors, const int64_t *left_by,
                         const int32_t (*events)[COLUMNS], long count, long batch,
                         const Rates *rates, long steps, long averages, double *losses, char *given,
                         long threads)
{
    Work work = {.tables = tables,
                 .factors = factors,
                 .width = factors == TRANSLATED ? tables[ITEMS].width : 0,
                 .epsilon = (float)rates->epsilon,
                 .keep_first = (float)rates->decay_first,
                 .keep_second = (float)rates->decay_second,
                 .under_root = (float)rates->under_root,
                 .length_weight = (float)rates->length_weight};
    for (long factor = 0; factor < factors; factor++)
        work.left_by[factor] = left_by[factor];
    Workspace workspace = workspace_of(given, 0, 0);
    work.left = take_floats(&workspace, batch * work.width);
    work.item = take_floats(&workspace, batch * work.width);
    work.other = take_floats(&workspace, batch * work.width);
    work.slope = take_floats(&workspace, batch);
    work.losses = take(&workspace, threads * (long)sizeof(double));
    long done = 0;
    for (long begin = 0; begin < count; begin += batch, done++) {
        work.count = count - begin < batch ? count - begin : batch;
        work.events = events + begin;
        run_in_pool(find_pair_gradients, &work, threads);
        double loss = 0;
        for (long thread = 0; thread < threads; thread++)
            loss += work.losses[thread];
        losses[done] = loss / (double)work.count;
        if (factors == TRANSLATED)
            losses[done] += rates->length_weight * length_of(tables + TRANSLATION);
        if (!isfinite(losses[done]))
            return done;
        const double step = (double)(steps + done + 1), average = (double)(averages + done + 1);
        work.step_size = (float)(rates->rate / (1 - pow(rates->decay_first, step)));
        work.root_share = (float)(1 / sqrt(1 - pow(rates->decay_second, step)));
        work.averaging = (float)fmin(rates->averaging, (1 + average) / (10 + average));
        run_in_pool(add_up_gradients, &work, threads);
        run_in_pool(update, &work, threads);
    }
    return done;
}

/* Whole epochs of models that set a target against one negative (BPR, Rendle et al. 2009,
   arXiv:1205.2618), with a step of Adam and of the weights' average after each batch.

   With x = score(target) - score(negative) and B pairs in a batch,

       loss = mean over pairs of  log(1 + exp(-x)),     d loss / d x = -1 / (1 + exp(x)) / B.

   The score is a sum of products of two rows each, or, as in TransRec, a bias less a distance.
   A step is three pieces of work for the threads: each pair's slope, the sums of slopes, in which
   a row belongs to one thread, so that they always have the same order, and the update. */

#include "room.h"
#include "team.h"

#include <math.h>
#include <stdint.h>

/* The same code for what processors have; the first that fits is taken when it is loaded. */
#define FITTED __attribute__((target_clones("avx512f", "avx2", "default")))

enum { USER, LAST, TARGET, NEGATIVE, COLUMNS };
enum { TRANSLATED = 0 }; /* factors of a model whose scores are distances */

/* A matrix, the sum of its slopes (zero between steps), what Adam remembers, and its average. */
typedef struct {
    float *weights, *slopes, *first, *second, *average;
    long rows, width;
} Table;

typedef struct {
    double rate, decay_first, decay_second, tiny, averaging, under_root, length_weight;
} Rates;

typedef struct {
    const Table *tables;
    long factors, left_by[2], count, width; /* width: of vectors for distances */
    const int32_t (*events)[COLUMNS];       /* of this batch */
    float *slope;                           /* of each pair */
    float *left, *item, *other;             /* of each pair's vectors, for distances */
    double *losses;                         /* of each thread */
    float step_size, root_share, tiny, keep_first, keep_second, stays;
    float under_root, length_weight;
} Work;

/* Of TransRec: users, items, biases, and what is added to each state. */
enum { USERS, ITEMS, BIASES, TRANSLATION };

static inline float *row_of(const Table *table, long row)
{
    return table->weights + row * table->width;
}

/* Losses are added up as logarithms of products, of as many pairs at a time. */
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

/* Take in the loss of a pair; its slope is kept. */
static inline void judge(const Work *work, long pair, float difference, Total *total)
{
    const float small = expf(-fabsf(difference));
    const float chance = (difference > 0 ? small : 1.0f) / (1.0f + small); /* sigmoid(-x) */
    work->slope[pair] = -chance / (float)work->count;
    total->sum += difference > 0 ? 0.0 : -(double)difference;
    multiply_in(total, 1.0 + (double)small);
}

FITTED static double products(const Work *work, long begin, long end)
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
        judge(work, pair, difference, &total);
    }
    return total.sum + log(total.product);
}

/* With s = U[user] + T + E[last], a score is b[item] - |s - E[item]|. */
FITTED static double translations(const Work *work, long begin, long end)
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
        judge(work, pair, biases[target] - to_near - biases[negative] + to_far, &total);
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

static void find_slopes(void *given, long member, long size)
{
    const Work *work = given;
    const long begin = begins(work->count, member, size);
    const long end = begins(work->count, member + 1, size);
    work->losses[member] =
        work->factors == TRANSLATED ? translations(work, begin, end) : products(work, begin, end);
}

/* Rows whose slopes a thread adds up; row 0 stands for nothing and stays as it is. */
static inline int is_own(long row, long member, long size)
{
    return row > 0 && (uint32_t)row % (uint32_t)size == (uint32_t)member;
}

/* Add each pair's vector to the slopes of its row. */
FITTED static void add_vectors(const Work *work, const Table *table, long column,
                               const float *vectors, long member, long size)
{
    for (long pair = 0; pair < work->count; pair++) {
        const long row = work->events[pair][column];
        if (!is_own(row, member, size))
            continue;
        const float *vector = vectors + pair * work->width;
        float *slopes = table->slopes + row * table->width;
#pragma omp simd
        for (long at = 0; at < table->width; at++)
            slopes[at] += vector[at];
    }
}

/* Add what a product's slope comes to for its three rows. */
FITTED static void add_rows(const Work *work, const Table *lefts, long by, long member, long size)
{
    const Table *rights = lefts + 1;
    const long width = lefts->width;
    for (long pair = 0; pair < work->count; pair++) {
        const int32_t *events = work->events[pair];
        const float slope = work->slope[pair];
        const float *left = row_of(lefts, events[by]);
        const float *target = row_of(rights, events[TARGET]);
        const float *negative = row_of(rights, events[NEGATIVE]);
        float *to_left = lefts->slopes + events[by] * width;
        float *to_target = rights->slopes + events[TARGET] * width;
        float *to_negative = rights->slopes + events[NEGATIVE] * width;
        if (is_own(events[by], member, size)) {
#pragma omp simd
            for (long at = 0; at < width; at++)
                to_left[at] += slope * (target[at] - negative[at]);
        }
        if (is_own(events[TARGET], member, size)) {
#pragma omp simd
            for (long at = 0; at < width; at++)
                to_target[at] += slope * left[at];
        }
        if (is_own(events[NEGATIVE], member, size)) {
#pragma omp simd
            for (long at = 0; at < width; at++)
                to_negative[at] -= slope * left[at];
        }
    }
}

static void add_up_biases(const Work *work, long member, long size)
{
    float *slopes = work->tables[BIASES].slopes;
    for (long pair = 0; pair < work->count; pair++) {
        const long target = work->events[pair][TARGET], negative = work->events[pair][NEGATIVE];
        if (is_own(target, member, size))
            slopes[target] += work->slope[pair];
        if (is_own(negative, member, size))
            slopes[negative] -= work->slope[pair];
    }
}

FITTED static void add_up_translation(const Work *work)
{
    const Table *table = work->tables + TRANSLATION;
    for (long pair = 0; pair < work->count; pair++) {
        const float *vector = work->left + pair * work->width;
#pragma omp simd
        for (long at = 0; at < table->width; at++)
            table->slopes[at] += vector[at];
    }
    for (long at = 0; at < table->width; at++) {
        const float weight = table->weights[at];
        table->slopes[at] += work->length_weight * (float)((weight > 0) - (weight < 0));
    }
}

static void add_up_slopes(void *given, long member, long size)
{
    const Work *work = given;
    const Table *tables = work->tables;
    if (work->factors == TRANSLATED) {
        add_vectors(work, tables + USERS, USER, work->left, member, size);
        add_vectors(work, tables + ITEMS, LAST, work->left, member, size);
        add_vectors(work, tables + ITEMS, TARGET, work->item, member, size);
        add_vectors(work, tables + ITEMS, NEGATIVE, work->other, member, size);
        add_up_biases(work, member, size);
        if (member == 0)
            add_up_translation(work);
        return;
    }
    for (long factor = 0; factor < work->factors; factor++)
        add_rows(work, tables + 2 * factor, work->left_by[factor], member, size);
}

/* What threads are dealt: loops round the numbers that do not fill their registers otherwise, so
   these must be the same however many threads there are. */
enum { PART = 64 };

/* Adam (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1) and the average, on a part of a table. */
FITTED static void update_some(const Work *work, const Table *table, long begin, long end)
{
    float *restrict weights = table->weights, *restrict slopes = table->slopes;
    float *restrict first = table->first, *restrict second = table->second;
    float *restrict average = table->average;
    const float step = work->step_size, share = work->root_share, tiny = work->tiny;
    const float one = work->keep_first, two = work->keep_second, stays = work->stays;
#pragma omp simd
    for (long at = begin; at < end; at++) {
        const float slope = slopes[at];
        first[at] += (1 - one) * (slope - first[at]);
        second[at] = two * second[at] + (1 - two) * slope * slope;
        weights[at] -= step * first[at] / (sqrtf(second[at]) * share + tiny);
        average[at] = weights[at] - stays * (weights[at] - average[at]);
        slopes[at] = 0;
    }
}

static void update(void *given, long member, long size)
{
    const Work *work = given;
    const long count = work->factors == TRANSLATED ? TRANSLATION + 1 : 2 * work->factors;
    for (long which = 0; which < count; which++) {
        const Table *table = work->tables + which;
        const long all = table->rows * table->width, parts = (all + PART - 1) / PART;
        const long begin = begins(parts, member, size) * PART;
        const long end = begins(parts, member + 1, size) * PART;
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

/* Bytes that sasrec_pairs needs to work in; `width` is that of vectors for distances, or 0. */
EXPORT long sasrec_pairs_room(long batch, long width, long threads)
{
    return 3 * rounded(batch * width * (long)sizeof(float)) + rounded(batch * (long)sizeof(float)) +
           rounded(threads * (long)sizeof(double)) + ALIGNED;
}

/* Train on some pairs, `batch` at a time.

   `events` are `count` rows of four numbers: user, last item, target, negative. `factors` is how
   many products a score has, each of a row found by the user (`left_by` 0) or the last item (1);
   0 is TransRec. Steps and averages were already taken as often as is said. The loss of each batch
   is written, and how many batches were taken is returned: at a loss that is no finite number,
   weights stay as they are. */
EXPORT long sasrec_pairs(const Table *tables, long factors, const int64_t *left_by,
                         const int32_t (*events)[COLUMNS], long count, long batch,
                         const Rates *rates, long steps, long averages, double *losses, char *given,
                         long threads)
{
    Work work = {.tables = tables,
                 .factors = factors,
                 .width = factors == TRANSLATED ? tables[ITEMS].width : 0,
                 .tiny = (float)rates->tiny,
                 .keep_first = (float)rates->decay_first,
                 .keep_second = (float)rates->decay_second,
                 .under_root = (float)rates->under_root,
                 .length_weight = (float)rates->length_weight};
    for (long factor = 0; factor < factors; factor++)
        work.left_by[factor] = left_by[factor];
    Room room = room_of(given, 0, 0);
    work.left = take_floats(&room, batch * work.width);
    work.item = take_floats(&room, batch * work.width);
    work.other = take_floats(&room, batch * work.width);
    work.slope = take_floats(&room, batch);
    work.losses = take(&room, threads * (long)sizeof(double));
    long done = 0;
    for (long begin = 0; begin < count; begin += batch, done++) {
        work.count = count - begin < batch ? count - begin : batch;
        work.events = events + begin;
        together(find_slopes, &work, threads);
        double loss = 0;
        for (long member = 0; member < threads; member++)
            loss += work.losses[member];
        losses[done] = loss / (double)work.count;
        if (factors == TRANSLATED)
            losses[done] += rates->length_weight * length_of(tables + TRANSLATION);
        if (!isfinite(losses[done]))
            return done;
        const double step = (double)(steps + done + 1), average = (double)(averages + done + 1);
        work.step_size = (float)(rates->rate / (1 - pow(rates->decay_first, step)));
        work.root_share = (float)(1 / sqrt(1 - pow(rates->decay_second, step)));
        work.stays = (float)fmin(rates->averaging, (1 + average) / (10 + average));
        together(add_up_slopes, &work, threads);
        together(update, &work, threads);
    }
    return done;
}

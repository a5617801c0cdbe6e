/* See tiles.h. */

#include "tiles.h"

#include <cpuid.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

Multiply *multiply;
int has_amx;

AMX static void multiply_amx(float *result, long stride, Pair left, Pair right, long depth, int add)
{
    const long row = stride * (long)sizeof(float), line = 2 * DEPTH;
    float *lower = result + SIDE * stride;
    if (add) {
        _tile_loadd(0, result, row);
        _tile_loadd(1, result + SIDE, row);
        _tile_loadd(2, lower, row);
        _tile_loadd(3, lower + SIDE, row);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (long at = 0; at < depth; at++) {
        _tile_loadd(4, left.first + at * left.step, line);
        _tile_loadd(6, right.first + at * right.step, line);
        _tile_loadd(5, left.second + at * left.step, line);
        _tile_loadd(7, right.second + at * right.step, line);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, result, row);
    _tile_stored(1, result + SIDE, row);
    _tile_stored(2, lower, row);
    _tile_stored(3, lower + SIDE, row);
}

AVX512 static inline void multiply_one(float *result, long stride, const bfloat16 *left,
                                       long left_step, const bfloat16 *right, long right_step,
                                       long depth, int add)
{
    __m512 sums[SIDE];
#pragma GCC unroll 16
    for (int row = 0; row < SIDE; row++)
        sums[row] = add ? _mm512_loadu_ps(result + row * stride) : _mm512_setzero_ps();
    for (long at = 0; at < depth; at++, left += left_step, right += right_step) {
        for (int pair = 0; pair < SIDE; pair++) {
            __m512bh columns = (__m512bh)_mm512_load_si512(right + pair * DEPTH);
#pragma GCC unroll 16
            for (int row = 0; row < SIDE; row++) {
                int32_t both;
                memcpy(&both, left + row * DEPTH + 2 * pair, sizeof both);
                sums[row] = _mm512_dpbf16_ps(sums[row], (__m512bh)_mm512_set1_epi32(both), columns);
            }
        }
    }
#pragma GCC unroll 16
    for (int row = 0; row < SIDE; row++)
        _mm512_storeu_ps(result + row * stride, sums[row]);
}

AVX512 static void multiply_lanes(float *result, long stride, Pair left, Pair right, long depth,
                                  int add)
{
    const bfloat16 *lefts[] = {left.first, left.second}, *rights[] = {right.first, right.second};
    for (int row = 0; row < 2; row++)
        for (int column = 0; column < 2; column++)
            multiply_one(result + row * SIDE * stride + column * SIDE, stride, lefts[row],
                         left.step, rights[column], right.step, depth, add);
}

/* Eight tiles of 16 rows of 64 bytes. This must be a constant: the compiler assumes that the load
   instruction reads only the first bytes, so it might omit writing the others just before. */
static const struct {
    uint8_t palette, start, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} shape = {
    .palette = 1,
    .bytes = {64, 64, 64, 64, 64, 64, 64, 64},
    .rows = {SIDE, SIDE, SIDE, SIDE, SIDE, SIDE, SIDE, SIDE},
};

AMX static void configure(void) { _tile_loadconfig(&shape); }

AMX static void release(void) { _tile_release(); }

void begin_tiles(void)
{
    if (has_amx)
        configure();
}

void end_tiles(void)
{
    if (has_amx)
        release();
}

static uint64_t enabled_state(void)
{
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* On Linux, a process must request permission to use AMX. */
static int may_use_amx(void)
{
    const long request = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request, tile_data) == 0;
}

/* Choose the instructions for products; with `amx` 0, AMX is not used. Returns 2 for AMX, 1 for
   AVX-512, and 0 for neither; after 0, no function with bfloat16 products may be called. */
EXPORT int sasrec_choose(long amx)
{
    const uint64_t vectors = 0xe6, tiles = 0x60000;
    const uint32_t wide = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
    uint32_t a, basic, c, features, more, b, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) /* xgetbv */
        return 0;
    if (!__get_cpuid_count(7, 0, &a, &basic, &c, &features))
        return 0;
    if (!__get_cpuid_count(7, 1, &more, &b, &c, &d))
        return 0;
    if ((basic & wide) != wide || !(more >> 5 & 1) || (enabled_state() & vectors) != vectors)
        return 0;
    amx = amx && (features >> 22 & 1) && (features >> 24 & 1) &&
          (enabled_state() & tiles) == tiles && may_use_amx();
    has_amx = amx;
    multiply = amx ? multiply_amx : multiply_lanes;
    return 1 + amx;
}

/* Arrange a bfloat16 matrix in tiles, in the forms needed for the left or right side of a product.
 */

#ifndef SASREC_FORMS_H
#define SASREC_FORMS_H

#include "lanes.h"

/* Some rows of a matrix [positions, width]; the width is a multiple of 16. Zeros are added up to
   whole blocks of rows, and up to a depth that is a multiple of 32. */
typedef struct {
    const bfloat16 *values;
    long stride, count, blocks, width, depth;
} Matrix;

static inline Matrix matrix(const bfloat16 *values, long stride, long count, long width)
{
    return (Matrix){values, stride,
                    count,  (count + BLOCK - 1) / BLOCK,
                    width,  (width + DEPTH - 1) / DEPTH * DEPTH};
}

AVX512 static inline __m512i line(Matrix from, long index, long at)
{
    if (index >= from.count)
        return _mm512_setzero_si512();
    const __mmask32 present = at + DEPTH > from.width ? 0xffff : ~0u;
    return _mm512_maskz_loadu_epi16(present, from.values + index * from.stride + at);
}

/* Left tiles [positions, depth], ordered by block, half of the block, and depth. */
AVX512 static inline void as_left(Matrix from, bfloat16 *tiles)
{
    for (long index = 0; index < from.blocks * BLOCK; index++)
        for (long at = 0; at < from.depth; at += DEPTH)
            _mm512_store_si512(tiles + index / SIDE * SIDE * from.depth + at * SIDE +
                                   index % SIDE * DEPTH,
                               line(from, index, at));
}

/* Right tiles [depth, positions], ordered by block, half of the block, and depth. */
AVX512 static inline void as_right(Matrix from, bfloat16 *tiles)
{
    for (long index = 0; index < from.blocks * BLOCK; index += SIDE)
        for (long at = 0; at < from.depth; at += DEPTH) {
            __m512i rows[SIDE];
            for (long row = 0; row < SIDE; row++)
                rows[row] = line(from, index + row, at);
            transpose(rows);
            for (long row = 0; row < SIDE; row++)
                _mm512_store_si512(tiles + index * from.depth + at * SIDE + row * DEPTH, rows[row]);
        }
}

/* Left tiles [depth, positions], made from right tiles of the same matrix; ordered by block and
   depth. */
AVX512 static inline void as_transposed(Matrix from, const bfloat16 *right, bfloat16 *tiles)
{
    const __m512i lower =
        _mm512_set_epi16(62, 60, 58, 56, 54, 52, 50, 48, 46, 44, 42, 40, 38, 36, 34, 32, 30, 28, 26,
                         24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i upper = _mm512_add_epi16(lower, _mm512_set1_epi16(1));
    for (long block = 0; block < from.blocks; block++) {
        const bfloat16 *first = right + block * BLOCK * from.depth;
        const bfloat16 *second = first + SIDE * from.depth;
        bfloat16 *transposed = tiles + block * BLOCK * from.depth;
        for (long pair = 0; pair < from.depth / 2; pair++) {
            const __m512i left = _mm512_load_si512(first + pair * DEPTH);
            const __m512i rest = _mm512_load_si512(second + pair * DEPTH);
            _mm512_store_si512(transposed + 2 * pair * DEPTH,
                               _mm512_permutex2var_epi16(left, lower, rest));
            _mm512_store_si512(transposed + (2 * pair + 1) * DEPTH,
                               _mm512_permutex2var_epi16(left, upper, rest));
        }
    }
}

/* Right tiles [positions, depth], ordered by block and depth. */
AVX512 static inline void as_paired(Matrix from, bfloat16 *tiles)
{
    const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40,
                                         8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
    for (long index = 0; index < from.blocks * BLOCK; index += 2)
        for (long at = 0; at < from.depth; at += DEPTH) {
            const __m512i first = line(from, index, at), second = line(from, index + 1, at);
            bfloat16 *row =
                tiles + index / BLOCK * BLOCK * from.depth + at * DEPTH + index % BLOCK / 2 * DEPTH;
            _mm512_store_si512(row, _mm512_permutex2var_epi16(first, low, second));
            _mm512_store_si512(row + TILE, _mm512_permutex2var_epi16(first, high, second));
        }
}

/* Products of the rows of block `row` of a left matrix with the rows of block `column` of a right
   one, summed over the depth. */
static inline void block_product(const bfloat16 *left, const bfloat16 *right, long row, long column,
                                 long depth, float *result)
{
    const long half = SIDE * depth;
    left += row * BLOCK * depth;
    right += column * BLOCK * depth;
    multiply(result, BLOCK, (Pair){left, left + half, TILE}, (Pair){right, right + half, TILE},
             depth / DEPTH, 0);
}

/* Multiply [32 positions, depth] by a factor and store it as rows of bfloat16. */
AVX512 static inline void write_rows(const float *values, float factor, Matrix to, long block)
{
    for (long row = 0; row < BLOCK && block * BLOCK + row < to.count; row++)
        for (long at = 0; at < to.width; at += SIDE)
            store_narrow((bfloat16 *)to.values + (block * BLOCK + row) * to.stride + at,
                         _mm512_mul_ps(_mm512_set1_ps(factor),
                                       _mm512_load_ps(values + row * to.depth + at)));
}

#endif

/* Random bits for dropout, which are 1 with a given probability. */

#include "lanes.h"

/* SplitMix64 (Steele, Lea and Flood 2014): turns any number into good seeds. */
static uint64_t splitmix(uint64_t *state)
{
    uint64_t mixed = *state += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}

/* Write `count` words of 32 bits; each bit is 0 with a probability of threshold / 65,536. Eight
   generators (xorshift128+, Vigna 2017) run in parallel; 16 random bits decide each bit. */
EXPORT AVX512 void sasrec_bits(uint32_t *words, long count, long threshold, uint64_t seed)
{
    uint64_t seeds[16] __attribute__((aligned(64)));
    for (int at = 0; at < 16; at++)
        seeds[at] = splitmix(&seed);
    __m512i older = _mm512_load_si512(seeds), newer = _mm512_load_si512(seeds + 8);
    const __m512i least = _mm512_set1_epi16((short)threshold);
    for (long at = 0; at < count; at++) {
        const __m512i sum = _mm512_add_epi64(older, newer);
        words[at] = _mm512_cmpge_epu16_mask(sum, least);
        older = _mm512_xor_si512(older, _mm512_slli_epi64(older, 23));
        const __m512i next = _mm512_xor_si512(
            _mm512_xor_si512(older, newer),
            _mm512_xor_si512(_mm512_srli_epi64(older, 18), _mm512_srli_epi64(newer, 5)));
        older = newer;
        newer = next;
    }
}

/* Team: work shared by PyTorch's own threads, which wait for nothing else. */

#ifndef SASREC_TEAM_H
#define SASREC_TEAM_H

/* Do a member's share of the work: member 0 to size - 1. */
typedef void Share(void *work, long member, long size);

void together(Share *share, void *work, long size);

/* Where the share of a member begins, of `count` pieces; that of member `size` is the end. */
static inline long begins(long count, long member, long size) { return count * member / size; }

#endif

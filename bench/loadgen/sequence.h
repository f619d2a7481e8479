#ifndef SEQUENCE_H
#define SEQUENCE_H
#include <stdint.h>

/** Numbers [from, to) that were skipped and have not come yet. */
typedef struct {
  uint32_t from, to;
} SequenceGap;

/** What one subscriber has seen of one publisher's numbers 0, 1, 2 ... */
typedef struct {
  uint32_t next;
  int gaps, capacity;
  SequenceGap *gap;
} Sequence;

typedef enum { SEQUENCE_NEW, SEQUENCE_DUPLICATE, SEQUENCE_REORDERED } SequenceVerdict;

/** REORDERED: it came for the first time, after a later number of the same publisher. */
SequenceVerdict sequence_see(Sequence *s, uint32_t number);
/** How many of the numbers below `sent` have not come. */
uint64_t sequence_missing(const Sequence *s, uint32_t sent);

#endif

#include "sequence.h"
#include <stdlib.h>
#include <string.h>

static void insert(Sequence *s, int at, SequenceGap g) {
  if (s->gaps == s->capacity) {
    s->capacity = s->capacity ? s->capacity * 2 : 4;
    s->gap = realloc(s->gap, sizeof *s->gap * (size_t)s->capacity);
    if (!s->gap) abort();
  }
  memmove(&s->gap[at + 1], &s->gap[at], sizeof *s->gap * (size_t)(s->gaps - at));
  s->gap[at] = g;
  s->gaps++;
}

static void drop(Sequence *s, int at) {
  s->gaps--;
  memmove(&s->gap[at], &s->gap[at + 1], sizeof *s->gap * (size_t)(s->gaps - at));
}

static void fill(Sequence *s, int at, uint32_t number) {
  SequenceGap *g = &s->gap[at];
  if (g->to - g->from == 1) drop(s, at);
  else if (number == g->from) g->from++;
  else if (number == g->to - 1) g->to--;
  else {
    SequenceGap rest = {number + 1, g->to};
    g->to = number;
    insert(s, at + 1, rest);
  }
}

SequenceVerdict sequence_see(Sequence *s, uint32_t number) {
  if (number == s->next) {
    s->next++;
    return SEQUENCE_NEW;
  }
  if (number > s->next) {
    insert(s, s->gaps, (SequenceGap){s->next, number});
    s->next = number + 1;
    return SEQUENCE_NEW;
  }
  for (int low = 0, high = s->gaps - 1; low <= high;) {
    int middle = (low + high) / 2;
    if (number < s->gap[middle].from) high = middle - 1;
    else if (number >= s->gap[middle].to) low = middle + 1;
    else {
      fill(s, middle, number);
      return SEQUENCE_REORDERED;
    }
  }
  return SEQUENCE_DUPLICATE;
}

uint64_t sequence_missing(const Sequence *s, uint32_t sent) {
  uint64_t missing = sent > s->next ? sent - s->next : 0;
  for (int i = 0; i < s->gaps; i++) missing += s->gap[i].to - s->gap[i].from;
  return missing;
}

#include <stdlib.h>
#include "ring.h"

#define RING_SIZE(r) ring_count((r))

typedef struct {
	int items[8];
} buffer;

struct ring { buffer *b; int (*free)(void *); };

enum state { OPEN, SHUT };

/* größe */ static struct ring *ring_new(int (*allocate)(size_t))
{
	struct ring *r = malloc(sizeof *r);
	r->free(r->b);
	(*allocate)(1);
	return r;
}

char **ring_names(void) { return ring_walk(0, compare); }

static int compare(const void *a, const void *b) { return 0; }

int ring_walk(int depth, int (*by)(const void *, const void *))
{
	return depth > 3 ? by(0, 0) : ring_walk(depth + 1, by);
}

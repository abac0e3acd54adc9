#include "CBuild.h"

/* A C file of its own: another commit compiles nothing else. */
#ifndef COORDINATOR_COMMIT
#define COORDINATOR_COMMIT ""
#endif

const char *coordinator_build_commit(void) { return COORDINATOR_COMMIT; }

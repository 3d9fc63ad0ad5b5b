/* The host side of your implementation. */
#include "contract.h"

/*
 * YOUR IMPLEMENTATION: declare what it can do, and write `run_host` with it. The registry to provide is CHILD, which
 * inherits PARENT; contract.h explains both.
 */

const char *const BINDS[] = {NULL};         /* the ways to offer a connection, the default first: "devfd", "unix", ... */
const char *const HOST_TYPES[] = {NULL};    /* that stand in a signature; the registry has an echo_T for each */
const char *const HOST_FEATURES[] = {NULL}; /* "concurrent" */

int run_host(const char *bind, char **argv, struct buffer *problem) {
    (void)bind;
    put_format(problem, "this testee has no host side yet, and does not run %s", argv[0]);
    return 1;
}

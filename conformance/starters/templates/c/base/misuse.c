/* Mistakes of the programmer that your implementation refuses. */
#include "contract.h"

/*
 * YOUR IMPLEMENTATION: a function for each kind that it can commit. The function makes the mistake, and the implementation
 * ends the process with a message on standard error and a status other than 0.
 */

const struct kind KINDS[] = {{0}};

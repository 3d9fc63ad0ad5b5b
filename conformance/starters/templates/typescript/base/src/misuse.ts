/** Mistakes of the programmer that your implementation refuses. */

// YOUR IMPLEMENTATION: a function for each kind that it can commit. The function makes the mistake, and the
// implementation throws an error that names what is wrong.

export const KINDS: Record<string, () => void> = {};

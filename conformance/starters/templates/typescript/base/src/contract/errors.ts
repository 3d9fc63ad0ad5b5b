/** What an implementation throws to tell the contract how an operation ended. */

/** An ordinary error: the text is exactly what the implementation gives its caller. */
export class CallError extends Error {}

/** The implementation refuses a mistake of the programmer; any other error has the same outcome. */
export class Misuse extends Error {}

/** The implementation, or this testee, cannot do it. */
export class Unsupported extends Error {}

package testee;

import java.util.Map;

/** Mistakes of the programmer that your implementation refuses. */
public final class Misuse {
    // YOUR IMPLEMENTATION: a function for each kind that it can commit: Map.of("add-duplicate-service", () -> ...).
    // The function makes the mistake, and the implementation refuses it by an exception that names what is wrong.
    public static final Map<String, Runnable> KINDS = Map.of();

    private Misuse() {}
}

package testee;

/** How an operation fails: an implementation throws one of these to tell the contract. */
public abstract sealed class Failure extends Exception {
    private Failure(String text) {
        super(text);
    }

    /** An ordinary error: the text is exactly what the implementation gives its caller. */
    public static final class CallError extends Failure {
        public CallError(String text) {
            super(text);
        }
    }

    /** The implementation refuses a mistake of the programmer; any RuntimeException has the same outcome. */
    public static final class Refusal extends Failure {
        public Refusal(String text) {
            super(text);
        }
    }

    /** The implementation, or this testee, cannot do it. */
    public static final class Unsupported extends Failure {
        public Unsupported(String text) {
            super(text);
        }
    }
}

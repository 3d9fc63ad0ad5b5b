package protocol;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Framing: bytes in, whole JSON objects out.
 *
 * <p>The grammar is checked byte by byte. So a malformed message is known at its first wrong byte, and nobody waits for
 * the rest of it. The scanner keeps its state between two pieces: no byte is looked at twice.
 */
final class Scanner {
    /** What came is no message. */
    static final class Malformed extends Exception {
        Malformed(String text) {
            super(text);
        }
    }

    /** Takes a message. */
    interface Receiver {
        void take(String message) throws Malformed;
    }

    private static final int MAX_DEPTH = 1_000;
    private static final int MAX_NUMBER = 10_000;

    /** What may come next: the bytes that may begin it, where v stands for a number or literal. */
    private enum Expected {
        MESSAGE("{"), FIRST_KEY("\"}"), KEY("\""), COLON(":"), VALUE("{[\"v"), FIRST_ITEM("{[\"v]"),
        AFTER_MEMBER(",}"), AFTER_ITEM(",]");

        final String tokens;

        Expected(String tokens) {
            this.tokens = tokens;
        }
    }

    /** The token that the last byte was in the middle of. */
    private enum Inside {
        NOTHING, STRING, ESCAPE, HEX, LITERAL,
        // A number, by how far it has come.
        MINUS, ZERO, INTEGER, POINT, FRACTION, EXPONENT, EXPONENT_SIGN, EXPONENT_DIGITS
    }

    private final ByteArrayOutputStream message = new ByteArrayOutputStream();
    private final Deque<Character> open = new ArrayDeque<>();
    private Expected expected = Expected.MESSAGE;
    private Inside inside = Inside.NOTHING;
    private String literal = "";
    private int count; // of the bytes of a literal, number or escape

    /** Whether a message has begun and not ended. */
    boolean withinMessage() {
        return !open.isEmpty();
    }

    /** Hand over each message that the next bytes complete; throws Malformed at the first wrong byte. */
    void feed(ByteBuffer data, Receiver receiver) throws Malformed {
        int start = data.position(); // of the message that is under way
        for (int at = start; at < data.limit(); at++) {
            if (push((char) (data.get(at) & 0xff))) {
                message.write(data.array(), start, at + 1 - start);
                start = at + 1;
                String text = message.toString(StandardCharsets.UTF_8);
                message.reset();
                receiver.take(text);
            }
        }
        message.write(data.array(), start, data.limit() - start);
    }

    /** Take one byte; whether it ends a message. */
    private boolean push(char b) throws Malformed {
        switch (inside) {
            case NOTHING -> {
                return token(b);
            }
            case STRING -> {
                if (b < 0x20) {
                    throw new Malformed("a string with " + shown(b) + " in it");
                }
                inside = b == '"' ? Inside.NOTHING : b == '\\' ? Inside.ESCAPE : Inside.STRING;
            }
            case ESCAPE -> {
                if ("\"\\/bfnrtu".indexOf(b) < 0) {
                    throw new Malformed(shown(b) + " behind a backslash");
                }
                inside = b == 'u' ? Inside.HEX : Inside.STRING;
                count = 0;
            }
            case HEX -> {
                if (Character.digit(b, 16) < 0 || b > 'f') {
                    throw new Malformed(shown(b) + " in an escape");
                }
                inside = ++count == 4 ? Inside.STRING : Inside.HEX;
            }
            case LITERAL -> {
                if (literal.charAt(count) != b) {
                    throw new Malformed(shown(b) + " in a literal");
                }
                inside = ++count == literal.length() ? Inside.NOTHING : Inside.LITERAL;
            }
            default -> {
                Inside next = next(inside, b);
                if (next == Inside.NOTHING) {
                    inside = next;
                    return token(b);
                }
                if (++count > MAX_NUMBER) {
                    throw new Malformed("a number of more than " + MAX_NUMBER + " characters");
                }
                inside = next;
            }
        }
        return false;
    }

    /** How far a number has come with one more byte; NOTHING where it ended before it. */
    private static Inside next(Inside number, char b) throws Malformed {
        boolean digit = b >= '0' && b <= '9';
        Inside next = switch (number) {
            case MINUS -> b == '0' ? Inside.ZERO : digit ? Inside.INTEGER : null;
            case ZERO, INTEGER -> digit && number == Inside.INTEGER ? Inside.INTEGER
                : b == '.' ? Inside.POINT : b == 'e' || b == 'E' ? Inside.EXPONENT : Inside.NOTHING;
            case POINT -> digit ? Inside.FRACTION : null;
            case FRACTION -> digit ? Inside.FRACTION : b == 'e' || b == 'E' ? Inside.EXPONENT : Inside.NOTHING;
            case EXPONENT -> digit ? Inside.EXPONENT_DIGITS : b == '+' || b == '-' ? Inside.EXPONENT_SIGN : null;
            case EXPONENT_SIGN -> digit ? Inside.EXPONENT_DIGITS : null;
            default -> digit ? Inside.EXPONENT_DIGITS : Inside.NOTHING;
        };
        if (next == null) {
            throw new Malformed(shown(b) + " in a number");
        }
        return next;
    }

    /** Take a byte between tokens; whether it ends a message. */
    private boolean token(char b) throws Malformed {
        if (b == ' ' || b == '\t' || b == '\r' || b == '\n') {
            return false;
        }
        char token = "-0123456789tfn".indexOf(b) >= 0 ? 'v' : b == 'v' ? '?' : b;
        if (expected.tokens.indexOf(token) < 0) {
            throw new Malformed("expected one of " + expected.tokens + ", got " + shown(b));
        }
        switch (token) {
            case '{', '[' -> {
                if (open.size() == MAX_DEPTH) {
                    throw new Malformed("a message nested deeper than " + MAX_DEPTH + " levels");
                }
                open.push(token);
                expected = token == '{' ? Expected.FIRST_KEY : Expected.FIRST_ITEM;
            }
            case '}', ']' -> {
                open.pop();
                afterValue();
                return open.isEmpty();
            }
            case ':' -> expected = Expected.VALUE;
            case ',' -> expected = expected == Expected.AFTER_MEMBER ? Expected.KEY : Expected.VALUE;
            case '"' -> {
                inside = Inside.STRING;
                if (expected == Expected.KEY || expected == Expected.FIRST_KEY) {
                    expected = Expected.COLON;
                } else {
                    afterValue();
                }
            }
            default -> {
                count = 1;
                literal = b == 't' ? "true" : b == 'f' ? "false" : "null";
                inside = "tfn".indexOf(b) >= 0 ? Inside.LITERAL
                    : b == '-' ? Inside.MINUS : b == '0' ? Inside.ZERO : Inside.INTEGER;
                afterValue();
            }
        }
        return false;
    }

    private void afterValue() {
        expected = open.isEmpty() ? Expected.MESSAGE : open.peek() == '{' ? Expected.AFTER_MEMBER : Expected.AFTER_ITEM;
    }

    private static String shown(char b) {
        return b > 0x20 && b < 0x7f ? "'" + b + "'" : String.format("byte 0x%02x", (int) b);
    }
}

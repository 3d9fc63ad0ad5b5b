package protocol;

import exactjson.Json;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import protocol.Scanner.Malformed;

/** Messages: which fields they have, and how they are read and written. */
final class Messages {
    /** A field that is not there, where null means something else. */
    static final Object ABSENT = new Object();

    private static final BigInteger MAX_SEQUENCE = BigInteger.TWO.pow(64).subtract(BigInteger.ONE);

    /** What a plugin asks; args is whatever came. */
    record Request(BigInteger sequence, String type, String namespace, String name, Object args) {}

    /** What a host answers; reply is whatever came. */
    record Reply(BigInteger sequence, Object reply, boolean ok, List<String> services, String error) {}

    /** A message, with the line feed at its end; throws IllegalArgumentException for what JSON cannot carry. */
    static byte[] write(Map<String, Object> fields) {
        return (Json.write(fields) + "\n").getBytes(StandardCharsets.UTF_8);
    }

    static Request readRequest(String message) throws Malformed {
        Map<String, Object> fields = object(message);
        return new Request(sequence(fields), orEmpty(text(fields, "type")), orEmpty(text(fields, "namespace")),
            orEmpty(text(fields, "name")), fields.getOrDefault("args", ABSENT));
    }

    static Reply readReply(String message) throws Malformed {
        Map<String, Object> fields = object(message);
        Object ok = fields.get("ok");
        if (ok != null && !(ok instanceof Boolean)) {
            throw new Malformed("`ok` is no boolean");
        }
        return new Reply(sequence(fields), fields.getOrDefault("reply", ABSENT), Boolean.TRUE.equals(ok),
            texts(fields.get("services")), text(fields, "error"));
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> object(String message) throws Malformed {
        try {
            return (Map<String, Object>) Json.read(message);
        } catch (IOException error) {
            throw new Malformed(error.getMessage());
        }
    }

    private static BigInteger sequence(Map<String, Object> fields) throws Malformed {
        Object sequence = fields.get("sequence");
        if (sequence == null) {
            return BigInteger.ZERO;
        }
        if (sequence instanceof Json.Number number && number.text().matches("[0-9]{1,20}")) {
            BigInteger value = new BigInteger(number.text());
            if (value.compareTo(MAX_SEQUENCE) <= 0) {
                return value;
            }
        }
        throw new Malformed("`sequence` is no integer from 0 to 2^64-1");
    }

    private static String text(Map<String, Object> fields, String key) throws Malformed {
        Object value = fields.get(key);
        if (value != null && !(value instanceof String)) {
            throw new Malformed("`" + key + "` is no string");
        }
        return (String) value;
    }

    private static List<String> texts(Object services) throws Malformed {
        List<String> names = new ArrayList<>();
        if (services != null && !(services instanceof List<?>)) {
            throw new Malformed("`services` is no array of strings");
        }
        for (Object name : services == null ? List.of() : (List<?>) services) {
            if (!(name instanceof String text)) {
                throw new Malformed("`services` is no array of strings");
            }
            names.add(text);
        }
        return names;
    }

    private static String orEmpty(String text) {
        return text == null ? "" : text;
    }

    private Messages() {}
}

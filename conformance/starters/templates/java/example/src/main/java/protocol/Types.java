package protocol;

import exactjson.Json;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Types: every value is checked where it leaves and where it arrives.
 *
 * <p>A type is a name, or a Map with one member: "int64", {"list": "int64"}. Values are in their JSON form: bytes are
 * base64 text, a point is a Map, an optional is null or its value.
 */
public final class Types {
    /** A value does not fit its type. */
    public static final class Mismatch extends Exception {
        Mismatch(String text) {
            super(text);
        }
    }

    public static final List<String> NAMES = List.of(
        "any", "raw", "bool", "string", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float32", "float64", "bytes", "point");

    private static final Pattern BASE64 = Pattern.compile("[A-Za-z0-9+/]*={0,2}");
    private static final Pattern INTEGER = Pattern.compile("-?[0-9]{1,20}");

    /** Whether JSON can carry the values of a type. */
    public static boolean isType(Object of) {
        if (of instanceof Map<?, ?> kinds && kinds.size() == 1) {
            Map.Entry<?, ?> kind = kinds.entrySet().iterator().next();
            return List.of("list", "map", "optional").contains(kind.getKey()) && isType(kind.getValue());
        }
        return of instanceof String name && NAMES.contains(name);
    }

    /** As many values as types, each checked; what they are is said in the error. */
    static List<Object> checkAll(List<Object> types, Object values, String what) throws Mismatch {
        if (!(values instanceof List<?> list)) {
            throw new Mismatch("expected an array of " + what + ", got " + shown(values));
        }
        if (list.size() != types.size()) {
            throw new Mismatch("expected " + types.size() + " " + what + ", got " + list.size());
        }
        List<Object> checked = new ArrayList<>();
        for (int i = 0; i < types.size(); i++) {
            checked.add(check(types.get(i), list.get(i), "$[" + i + "]"));
        }
        return checked;
    }

    /** The value as its type has it; where it stands is said in the error. */
    private static Object check(Object of, Object value, String where) throws Mismatch {
        if (of instanceof Map<?, ?> kinds) {
            Map.Entry<?, ?> kind = kinds.entrySet().iterator().next();
            return checkCompound((String) kind.getKey(), kind.getValue(), value, where);
        }
        String name = (String) of;
        boolean fits = switch (name) {
            case "any", "raw" -> true;
            case "bool" -> value instanceof Boolean;
            case "string" -> value instanceof String;
            case "bytes" -> value instanceof String text && text.length() % 4 == 0 && BASE64.matcher(text).matches();
            case "point" -> value instanceof Map<?, ?>;
            default -> value instanceof Json.Number;
        };
        if (!fits) {
            throw mismatch(name, value, where);
        }
        return switch (name) {
            case "point" -> checkPoint((Map<?, ?>) value, where);
            case "float32", "float64" -> checkFloat(name, (Json.Number) value, where);
            case "any", "raw", "bool", "string", "bytes" -> value;
            default -> checkInteger(name, (Json.Number) value, where);
        };
    }

    private static Object checkCompound(String kind, Object inner, Object value, String where) throws Mismatch {
        if (kind.equals("optional")) {
            return value == null ? null : check(inner, value, where);
        }
        if (kind.equals("list") && value instanceof List<?> items) {
            List<Object> checked = new ArrayList<>();
            for (Object item : items) {
                checked.add(check(inner, item, where + "[" + checked.size() + "]"));
            }
            return checked;
        }
        if (kind.equals("map") && value instanceof Map<?, ?> members) {
            Map<String, Object> checked = new LinkedHashMap<>();
            for (Map.Entry<?, ?> member : members.entrySet()) {
                checked.put((String) member.getKey(), check(inner, member.getValue(), where + "." + member.getKey()));
            }
            return checked;
        }
        throw mismatch(kind, value, where);
    }

    private static Json.Number checkInteger(String name, Json.Number number, String where) throws Mismatch {
        boolean signed = name.startsWith("int");
        int bits = Integer.parseInt(name.replaceAll("[a-z]", ""));
        BigInteger limit = BigInteger.TWO.pow(signed ? bits - 1 : bits);
        if (INTEGER.matcher(number.text()).matches()) {
            BigInteger value = new BigInteger(number.text());
            BigInteger lowest = signed ? limit.negate() : BigInteger.ZERO;
            if (value.compareTo(lowest) >= 0 && value.compareTo(limit) < 0) {
                return new Json.Number(value.toString());
            }
        }
        throw mismatch(name, number, where);
    }

    private static Json.Number checkFloat(String name, Json.Number number, String where) throws Mismatch {
        boolean single = name.equals("float32");
        double value = single ? Float.parseFloat(number.text()) : Double.parseDouble(number.text());
        if (Double.isInfinite(value)) {
            throw mismatch(name, number, where);
        }
        return new Json.Number(Double.toString(value));
    }

    /** Unknown fields are left out, and so is an empty label. */
    private static Map<String, Object> checkPoint(Map<?, ?> value, String where) throws Mismatch {
        Map<String, Object> point = new LinkedHashMap<>();
        Json.Number zero = new Json.Number(0);
        point.put("x", check("int64", value.containsKey("x") ? value.get("x") : zero, where + ".x"));
        point.put("y", check("float64", value.containsKey("y") ? value.get("y") : zero, where + ".y"));
        Object label = check("string", value.containsKey("label") ? value.get("label") : "", where + ".label");
        if (!label.equals("")) {
            point.put("label", label);
        }
        return point;
    }

    private static Mismatch mismatch(String expected, Object value, String where) {
        return new Mismatch("expected " + expected + ", got " + shown(value) + ", at " + where);
    }

    private static String shown(Object value) {
        if (value instanceof Json.Number number) {
            return number.text().substring(0, Math.min(40, number.text().length()));
        }
        if (value == null || value instanceof Boolean) {
            return String.valueOf(value);
        }
        return value instanceof String ? "a string" : value instanceof List<?> ? "an array"
            : value instanceof Map<?, ?> ? "an object" : "nothing";
    }

    private Types() {}
}

package protocol;

import java.util.List;

/** The types of a function; throws IllegalArgumentException where JSON cannot carry one of them. */
record Signature(String what, List<Object> params, List<Object> results) {
    Signature {
        for (List<Object> types : List.of(params, results)) {
            for (Object of : types) {
                if (!Types.isType(of)) {
                    throw new IllegalArgumentException(what + ": JSON cannot carry values of the type " + of);
                }
            }
        }
    }
}

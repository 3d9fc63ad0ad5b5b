package testee;

import exactjson.Json;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** The testee: the program that the conformance suite starts. It needs no change; see README.md. */
public final class Main {
    public static void main(String[] arguments) throws Exception {
        List<String> words = Arrays.asList(arguments);
        String command = words.isEmpty() ? "" : words.get(0);
        List<String> rest = words.isEmpty() ? words : words.subList(1, words.size());
        if (command.equals("info")) {
            System.out.println(Json.write(manifest()));
        } else if (command.equals("conformance-plugin")) {
            Control.run(rest);
        } else if (command.equals("conformance-host") && !rest.isEmpty()) {
            host(rest);
        } else if (command.equals("conformance-panic") && rest.size() == 1) {
            misuse(rest.get(0));
        } else {
            System.err.println("usage: testee info | conformance-plugin | conformance-host | conformance-panic [ARGUMENT...]");
            System.exit(2);
        }
    }

    /** What the testee can do, as the three sides declare it. */
    private static Map<String, Object> manifest() {
        Json.Number contract = new Json.Number("1");
        List<Object> commands = List.of(
            command("conformance-plugin", Map.of(
                "contract", contract, "schemes", Plugin.SCHEMES, "types", Plugin.TYPES, "features", Plugin.FEATURES)),
            command("conformance-host", Map.of(
                "contract", contract, "binds", Host.BINDS, "types", Host.TYPES, "features", Host.FEATURES)),
            command("conformance-panic", Map.of("contract", contract, "kinds", List.copyOf(Misuse.KINDS.keySet()))));
        return Map.of(
            "manifestVersion", new Json.Number("1"), "name", "@NAME@", "version", "0.1.0", "author", "",
            "description", "A testee of the conformance suite.", "tags", List.of(), "commands", commands);
    }

    private static Map<String, Object> command(String kind, Map<String, Object> data) {
        return Map.of("path", List.of(kind), "type", kind, "data", data);
    }

    /** The host side: run a plugin with the registry of the contract. */
    private static void host(List<String> words) {
        boolean chosen = words.size() > 2 && words.get(0).equals("--bind");
        String bind = chosen ? words.get(1) : null;
        List<String> rest = chosen ? words.subList(2, words.size()) : words;
        String problem = Host.run(bind, rest.get(0), rest.subList(1, rest.size()));
        if (problem != null) {
            System.err.println(problem.strip().replaceAll("\\s+", " "));
        }
        System.err.flush();
        System.exit(problem == null ? 0 : 1); // services that still run are not waited for
    }

    /** Commit one misuse. An implementation that refuses it throws, and the process ends with status 1. */
    private static void misuse(String kind) {
        Runnable commit = Misuse.KINDS.get(kind);
        if (commit == null) {
            System.out.println("unsupported: the misuse " + kind);
            return;
        }
        commit.run();
        System.out.println("survived");
    }

    private Main() {}
}

package testee;

import exactjson.Json;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The plugin side of the contract: instructions in, outcomes out, one JSON object a line. */
final class Control {
    /** Milliseconds that running instructions have to end after the last one was read. */
    private static final long GRACE = 250;

    private static final Pattern ID = Pattern.compile("\"id\"\\s*:\\s*(\\d+)");

    private final Plugin plugin;
    private final OutputStream outcomes;
    private final LinkedBlockingQueue<String> waiting = new LinkedBlockingQueue<>();
    private int unfinished;

    private Control(Plugin plugin, OutputStream outcomes) {
        this.plugin = plugin;
        this.outcomes = outcomes;
    }

    /** Carry out one instruction after the other until the input ends; async ones run in threads of their own. */
    static void run(List<String> words) throws Exception {
        List<String> urls = new ArrayList<>();
        for (int i = 0; i + 1 < words.size(); i++) {
            if (words.get(i).equals("--host")) {
                urls.add(words.get(i + 1));
            }
        }
        String descriptors = System.getenv("CONFORMANCE_CONTROL");
        InputStream in = new FileInputStream(FileDescriptor.in);
        OutputStream out = new FileOutputStream(FileDescriptor.out);
        if (descriptors != null) {
            String[] numbers = descriptors.split(",");
            in = new FileInputStream("/dev/fd/" + numbers[0]);
            out = new FileOutputStream("/dev/fd/" + numbers[1]);
        }
        new Control(new Plugin(urls), out).carryOutAll(in);
        Runtime.getRuntime().halt(0); // whatever is still going on
    }

    private void carryOutAll(InputStream instructions) throws Exception {
        start(() -> {
            while (true) {
                read(waiting.take());
            }
        });
        BufferedReader lines = new BufferedReader(new InputStreamReader(instructions, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            count(1);
            waiting.put(line);
        }
        long deadline = System.nanoTime() + GRACE * 1_000_000;
        synchronized (this) {
            for (long left = GRACE; unfinished > 0 && left > 0; left = (deadline - System.nanoTime()) / 1_000_000) {
                wait(left);
            }
        }
    }

    private synchronized void count(int step) {
        unfinished += step;
        notifyAll();
    }

    private interface Work {
        void run() throws Exception;
    }

    private static void start(Work work) {
        Thread thread = new Thread(() -> {
            try {
                work.run();
            } catch (Exception error) {
                error.printStackTrace();
                Runtime.getRuntime().halt(70);
            }
        });
        thread.setDaemon(true);
        thread.start();
    }

    @SuppressWarnings("unchecked")
    private void read(String line) throws IOException {
        Map<String, Object> instruction;
        try {
            instruction = (Map<String, Object>) Json.read(line);
        } catch (IOException error) {
            Matcher id = ID.matcher(line);
            Object number = id.find() ? new Json.Number(id.group(1)) : null;
            write(number, "error", "the instruction cannot be read: " + error.getMessage());
            return;
        }
        if (Boolean.TRUE.equals(instruction.get("async"))) {
            start(() -> carryOut(instruction));
        } else {
            carryOut(instruction);
        }
    }

    private void carryOut(Map<String, Object> instruction) throws IOException {
        String kind = "ok";
        Object value;
        try {
            value = perform(instruction);
        } catch (Failure.CallError error) {
            kind = "error";
            value = error.getMessage();
        } catch (Failure.Unsupported reason) {
            kind = "unsupported";
            value = reason.getMessage();
        } catch (Failure | RuntimeException panic) {
            kind = "panic";
            value = String.valueOf(panic.getMessage());
        }
        write(instruction.get("id"), kind, value);
    }

    private void write(Object id, String kind, Object value) throws IOException {
        Map<String, Object> outcome = new LinkedHashMap<>();
        outcome.put("id", id);
        outcome.put(kind, value);
        byte[] line = (Json.write(outcome) + "\n").getBytes(StandardCharsets.UTF_8);
        synchronized (outcomes) {
            outcomes.write(line);
        }
        count(-1);
    }

    /** Carry out one instruction; what is returned belongs under "ok". */
    private Object perform(Map<String, Object> instruction) throws Failure {
        String namespace = text(instruction, "namespace");
        String name = text(instruction, "name");
        List<Object> params = list(instruction, "params");
        List<Object> results = list(instruction, "results");
        List<Object> args = list(instruction, "args");
        switch (text(instruction, "op")) {
            case "call":
                return plugin.call(namespace, name, params, results, args);
            case "hasNamespace":
                return plugin.hasNamespace(namespace);
            case "getManifest":
                return plugin.getManifest(namespace);
            case "listServices":
                return plugin.listServices(namespace);
            case "hosted":
                return plugin.hosted();
            case "bind":
                plugin.bind(namespace, name, params, results, (String) instruction.get("misuse"));
                return "bound";
            case "fallback":
                return plugin.fallback(namespace, name, args);
            case "exit":
                Runtime.getRuntime().halt(Integer.parseInt(((Json.Number) instruction.get("code")).text()));
            default:
                throw new Failure.Unsupported("the op " + instruction.get("op"));
        }
    }

    private static String text(Map<String, Object> instruction, String key) {
        return instruction.get(key) instanceof String text ? text : "";
    }

    @SuppressWarnings("unchecked")
    private static List<Object> list(Map<String, Object> instruction, String key) {
        return instruction.get(key) instanceof List<?> list ? (List<Object>) list : List.of();
    }
}

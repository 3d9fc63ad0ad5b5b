package protocol;

import exactjson.Json;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A host runs a plugin: discovery, start, services, end. */
public final class Execution {
    /** The plugin could not be run, or did not end well; one line. */
    public static final class PluginFailure extends Exception {
        PluginFailure(String text) {
            super(text);
        }
    }

    private static final long INFO_SECONDS = 20;
    private static final long DRAIN_MILLISECONDS = 2_000; // to read what a plugin has left behind
    private static final long END_MILLISECONDS = 5_000; // for a plugin to end after its connection was ended

    private final Registry registry;
    private final Offer.Bind bind;

    /** A registry, and the way in which it is offered. */
    public Execution(Registry registry, Offer.Bind bind) {
        if (bind == null) {
            throw new IllegalArgumentException("the bind function is null");
        }
        this.registry = registry;
        this.bind = bind;
    }

    /** The path of the plugin's command of a type, by its info. */
    public static List<String> discover(String plugin, String kind) throws PluginFailure, IOException, InterruptedException {
        Path output = Files.createTempFile("info-", ""); // a file: whatever the plugin leaves behind cannot hold it open
        try {
            Process process = start(List.of(plugin, "info"), ProcessBuilder.Redirect.to(output.toFile()));
            boolean ended = process.waitFor(INFO_SECONDS, TimeUnit.SECONDS);
            process.destroyForcibly();
            if (!ended) {
                throw new PluginFailure(plugin + " info: did not end within " + INFO_SECONDS + " seconds");
            }
            if (process.exitValue() != 0) {
                throw new PluginFailure(plugin + " info: " + describe(process.exitValue()));
            }
            String printed = new String(Files.readAllBytes(output), StandardCharsets.UTF_8);
            try {
                return path(Json.read(printed), kind);
            } catch (IOException error) {
                throw new PluginFailure(plugin + " info: no manifest was printed: " + error.getMessage());
            } catch (IllegalArgumentException error) {
                throw new PluginFailure(plugin + " info: " + error.getMessage());
            }
        } finally {
            Files.deleteIfExists(output);
        }
    }

    private static List<String> path(Object printed, String kind) {
        if (!(printed instanceof Map<?, ?> manifest) || !new Json.Number(1).equals(manifest.get("manifestVersion"))) {
            throw new IllegalArgumentException("the manifestVersion is not 1");
        }
        if (!(manifest.get("commands") instanceof List<?> commands)) {
            throw new IllegalArgumentException("the manifest has no commands");
        }
        List<String> found = null;
        for (Object one : commands) {
            if (!(one instanceof Map<?, ?> command) || !(command.get("path") instanceof List<?> words)) {
                throw new IllegalArgumentException("a command has no path");
            }
            List<String> path = new ArrayList<>();
            for (Object word : words) {
                if (!(word instanceof String text)) {
                    throw new IllegalArgumentException("the path of a command has something that is no string");
                }
                path.add(text);
            }
            found = found == null && kind.equals(command.get("type")) ? path : found;
        }
        if (found == null) {
            throw new IllegalArgumentException("there is no command of the type " + kind);
        }
        return found;
    }

    /** Run a plugin's command and wait for it. */
    public void execute(List<String> words, List<String> args) throws PluginFailure, IOException, InterruptedException {
        Offer offer = bind.make();
        List<String> line = new ArrayList<>(words);
        offer.urls().forEach(url -> line.addAll(List.of("--host", url)));
        line.addAll(args);
        List<String> report = new ArrayList<>();
        try {
            Process process = start(line, ProcessBuilder.Redirect.DISCARD);
            CompletableFuture<Server> serving = new CompletableFuture<>();
            Thread thread = new Thread(() -> serve(offer, process, serving));
            thread.setDaemon(true);
            thread.start();
            int status = process.waitFor();
            if (status != 0) {
                report.add("the plugin " + describe(status));
            }
            offer.pluginGone();
            Server server = serving.get(DRAIN_MILLISECONDS, TimeUnit.MILLISECONDS);
            server.pluginGone();
            String problem = server.awaitProblem(DRAIN_MILLISECONDS);
            if (problem != null) {
                report.add(problem);
            }
        } catch (ExecutionException | TimeoutException never) {
            // The plugin has not opened the connection: its status decides.
        } finally {
            offer.pluginGone();
        }
        if (!report.isEmpty()) {
            throw new PluginFailure(String.join("; ", report));
        }
    }

    private void serve(Offer offer, Process process, CompletableFuture<Server> serving) {
        try {
            Server server = new Server(registry, offer.connect());
            serving.complete(server);
            // A plugin whose connection was ended for a malformed request should end; it is not waited for without limit.
            if (server.awaitProblem(Long.MAX_VALUE) != null && !process.waitFor(END_MILLISECONDS, TimeUnit.MILLISECONDS)) {
                process.destroyForcibly();
            }
        } catch (IOException | InterruptedException error) {
            serving.completeExceptionally(error);
        }
    }

    private static Process start(List<String> words, ProcessBuilder.Redirect output) throws PluginFailure {
        try {
            return new ProcessBuilder(words)
                .redirectInput(new File("/dev/null"))
                .redirectOutput(output)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        } catch (IOException error) {
            throw new PluginFailure(words.get(0) + ": cannot be started: " + error.getMessage());
        }
    }

    /** How a process ended; Java tells a signal as 128 and its number. */
    private static String describe(int status) {
        return status > 128 ? "was killed by signal " + (status - 128) + ", or exited with status " + status
            : "exited with status " + status;
    }
}

package protocol;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdk.net.ExtendedSocketOptions;

/** Opens the connection that URLs name. */
final class Urls {
    private static final Pattern URL = Pattern.compile("([A-Za-z][A-Za-z0-9+.-]*):(?://([^/?#]*))?([^?#]*)(?:[?#].*)?");

    private record Named(String scheme, Path path) {}

    /** One URL is read and written; of two, the first is read and the second written. */
    static Connection open(List<String> urls) throws IOException {
        if (urls.isEmpty() || urls.size() > 2) {
            throw new IOException(urls.isEmpty() ? "there is no host: the program was started without --host"
                : "one or two URLs are expected, not " + urls.size());
        }
        Named first = parse(urls.get(0));
        if (urls.size() == 1 && first.scheme.equals("unix")) {
            return new Connection(connect(first.path, urls.get(0)));
        }
        Named second = parse(urls.get(urls.size() - 1));
        if (first.scheme.equals("unix") || second.scheme.equals("unix")) {
            throw new IOException("cannot open " + urls.get(0) + ": a socket is no one of two streams");
        }
        if (urls.size() == 1) {
            throw new IOException("cannot open " + urls.get(0) + ": this implementation opens two files only");
        }
        return openPair(
            openLater(first.path, StandardOpenOption.READ, urls.get(0)),
            openLater(second.path, StandardOpenOption.WRITE, urls.get(1)));
    }

    /** Both at the same time: opening a named pipe waits for the other side, who may open them in any order. */
    static Connection openPair(CompletableFuture<FileChannel> reader, CompletableFuture<FileChannel> writer)
            throws IOException {
        CompletableFuture<Object> failure = new CompletableFuture<>();
        for (CompletableFuture<FileChannel> one : List.of(reader, writer)) {
            one.whenComplete((channel, error) -> {
                if (error != null) {
                    failure.completeExceptionally(error);
                }
            });
        }
        try {
            CompletableFuture.anyOf(CompletableFuture.allOf(reader, writer), failure).join();
            return new Connection(reader.join(), writer.join());
        } catch (CompletionException error) {
            reader.thenAccept(Urls::close); // now, or when it is open at last
            writer.thenAccept(Urls::close);
            Throwable cause = error.getCause();
            throw cause instanceof IOException failed ? failed : new IOException(cause);
        }
    }

    /** Open a file in a thread of its own. */
    static CompletableFuture<FileChannel> openLater(Path path, OpenOption option, String url) {
        CompletableFuture<FileChannel> opened = new CompletableFuture<>();
        Thread thread = new Thread(() -> {
            try {
                if (Files.isDirectory(path)) {
                    throw new IOException("it is a directory");
                }
                opened.complete(FileChannel.open(path, option));
            } catch (NoSuchFileException error) {
                opened.completeExceptionally(new IOException("cannot open " + url + ": no such file"));
            } catch (IOException error) {
                opened.completeExceptionally(new IOException("cannot open " + url + ": " + error.getMessage()));
            }
        });
        thread.setDaemon(true);
        thread.start();
        return opened;
    }

    private static void close(FileChannel channel) {
        try {
            channel.close();
        } catch (IOException gone) {
            // It is closed already.
        }
    }

    private static Named parse(String url) throws IOException {
        Matcher found = URL.matcher(url);
        if (!found.matches()) {
            throw new IOException("cannot open " + url + ": it is no URL");
        }
        String scheme = found.group(1).toLowerCase();
        String authority = found.group(2) == null ? "" : found.group(2);
        if (!List.of("file", "unix").contains(scheme)) {
            throw new IOException("cannot open " + url + ": unknown scheme \"" + scheme + "\"");
        }
        try {
            String path = decode(found.group(3));
            if (!List.of("", "localhost").contains(authority) || !path.startsWith("/")) {
                throw new IOException("cannot open " + url + ": expected an absolute path on this machine");
            }
            return new Named(scheme, Path.of(path));
        } catch (IllegalArgumentException error) {
            String why = error instanceof InvalidPathException ? "bad path" : error.getMessage();
            throw new IOException("cannot open " + url + ": " + why);
        }
    }

    /** Undo the percent-encoding. */
    private static String decode(String text) {
        byte[] raw = text.getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream decoded = new ByteArrayOutputStream();
        for (int i = 0; i < raw.length; i++) {
            if (raw[i] != '%') {
                decoded.write(raw[i]);
                continue;
            }
            int high = i + 2 < raw.length ? Character.digit(raw[i + 1], 16) : -1;
            int low = i + 2 < raw.length ? Character.digit(raw[i + 2], 16) : -1;
            if (high < 0 || low < 0) {
                throw new IllegalArgumentException("bad percent escape");
            }
            decoded.write(16 * high + low);
            i += 2;
        }
        return decoded.toString(StandardCharsets.UTF_8);
    }

    /** The URL of an absolute path. */
    static String of(String scheme, Path path) {
        StringBuilder url = new StringBuilder(scheme + "://");
        for (byte b : path.toString().getBytes(StandardCharsets.UTF_8)) {
            boolean plain = b > 0 && (Character.isLetterOrDigit(b) || "/-._~".indexOf(b) >= 0);
            url.append(plain ? Character.toString(b) : String.format("%%%02X", b));
        }
        return url.toString();
    }

    /** Connect to a socket; neither through a symbolic link nor to another user's process. */
    private static SocketChannel connect(Path path, String url) throws IOException {
        if (Files.isSymbolicLink(path)) {
            throw new IOException("cannot open " + url + ": it is a symbolic link");
        }
        SocketChannel socket = SocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            socket.connect(UnixDomainSocketAddress.of(path));
            if (isPeerTrusted(socket)) {
                return socket;
            }
        } catch (IOException error) {
            socket.close();
            throw new IOException("cannot open " + url + ": " + error.getMessage());
        }
        socket.close();
        throw new IOException("cannot open " + url + ": the process of another user listens there");
    }

    /** Whether the process at the other end of a socket is this user's or root's. */
    static boolean isPeerTrusted(SocketChannel socket) throws IOException {
        String user = socket.getOption(ExtendedSocketOptions.SO_PEERCRED).user().getName();
        return user.equals("root") || user.equals(System.getProperty("user.name"));
    }

    private Urls() {}
}

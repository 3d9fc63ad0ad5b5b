package protocol;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** A connection that a host offers and the plugin is still to open. */
public interface Offer {
    /** What --host is given. */
    List<String> urls();

    /** Wait for the plugin; throws IOException, or returns a connection at its end, when it never comes. */
    Connection connect() throws IOException;

    /** The plugin's process has ended: end the wait, and take back what is still offered. */
    void pluginGone() throws IOException;

    /** Makes an offer. */
    interface Bind {
        Offer make() throws IOException, InterruptedException;
    }

    /** The ways to offer a connection, the default first. */
    Map<String, Bind> BINDS = binds();

    private static Map<String, Bind> binds() {
        Map<String, Bind> binds = new LinkedHashMap<>();
        binds.put("fifo", Fifos::new);
        binds.put("unix", Socket::new);
        return binds;
    }

    /** A folder of the user alone, with what it holds. */
    private static void remove(Path folder, Path... files) throws IOException {
        for (Path file : files) {
            Files.deleteIfExists(file);
        }
        Files.deleteIfExists(folder);
    }

    /** Two named pipes. */
    final class Fifos implements Offer {
        private final Path folder = Files.createTempDirectory("host-"); // of mode 0700
        private final Path requests = folder.resolve("requests");
        private final Path replies = folder.resolve("replies");
        private final CompletableFuture<FileChannel> reader;
        private final CompletableFuture<FileChannel> writer;

        Fifos() throws IOException, InterruptedException {
            Process made = new ProcessBuilder("mkfifo", "-m", "600", requests.toString(), replies.toString()).start();
            if (made.waitFor() != 0) {
                throw new IOException("mkfifo failed");
            }
            reader = Urls.openLater(requests, StandardOpenOption.READ, requests.toString());
            writer = Urls.openLater(replies, StandardOpenOption.WRITE, replies.toString());
        }

        @Override
        public List<String> urls() {
            return List.of(Urls.of("file", replies), Urls.of("file", requests));
        }

        @Override
        public Connection connect() throws IOException {
            Connection connection = Urls.openPair(reader, writer);
            remove(folder, requests, replies);
            return connection;
        }

        /** Whoever still waits to open a pipe does not wait any more once it is opened in both directions here. */
        @Override
        public void pluginGone() throws IOException {
            for (Path pipe : List.of(requests, replies)) {
                if (Files.exists(pipe)) {
                    RandomAccessFile both = new RandomAccessFile(pipe.toFile(), "rw");
                    CompletableFuture.allOf(reader, writer).whenComplete((done, error) -> {
                        try {
                            both.close();
                        } catch (IOException gone) {
                            // It is closed already.
                        }
                    });
                }
            }
            CompletableFuture.allOf(reader, writer).join();
            remove(folder, requests, replies);
        }
    }

    /** A socket. Nobody else can reach it, and processes of other users are refused. */
    final class Socket implements Offer {
        private final Path folder = Files.createTempDirectory("host-"); // of mode 0700
        private final Path path = folder.resolve("socket");
        private final ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);

        Socket() throws IOException {
            listener.bind(UnixDomainSocketAddress.of(path));
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
        }

        @Override
        public List<String> urls() {
            return List.of(Urls.of("unix", path));
        }

        @Override
        public Connection connect() throws IOException {
            while (true) {
                SocketChannel socket = listener.accept();
                if (Urls.isPeerTrusted(socket)) {
                    listener.close();
                    remove(folder, path);
                    return new Connection(socket);
                }
                socket.close();
            }
        }

        /** Connect and say nothing: whoever waits gets this connection, unless the plugin has come before. */
        @Override
        public void pluginGone() throws IOException {
            if (Files.exists(path)) {
                try (SocketChannel nobody = SocketChannel.open(StandardProtocolFamily.UNIX)) {
                    nobody.connect(UnixDomainSocketAddress.of(path));
                } catch (IOException gone) {
                    // The plugin has come at last.
                }
            }
            remove(folder, path);
        }
    }
}

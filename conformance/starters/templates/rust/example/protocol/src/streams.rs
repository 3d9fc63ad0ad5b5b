//! Connections: what a URL names is opened, read and written without blocking.
//!
//! Everything is waited for with `poll`, so a wait never hides that the connection has ended meanwhile.

use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// How long to wait for the other side of a named pipe.
const OPEN_TIME: Duration = Duration::from_secs(30);
/// Between two looks whether a blocked writer is to give up.
const CHECK_TIME: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// The end of a connection that is read.
pub struct Reader(OwnedFd);

/// The end of a connection that is written, with what is to be closed together with it.
pub struct Writer(OwnedFd, #[allow(dead_code)] Vec<OwnedFd>);

impl Reader {
    /// Wait for the next bytes; 0 at the end.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        loop {
            wait(&self.0, PollFlags::IN, None);
            match rustix::io::read(&self.0, &mut *buffer) {
                Err(Errno::AGAIN | Errno::INTR) => continue,
                // How a terminal and a socket say that the other side is gone.
                Err(Errno::IO | Errno::CONNRESET) => return Ok(0),
                other => return other,
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Of a socket the writer has a copy; what the other side still writes is refused nevertheless.
        let _ = rustix::net::shutdown(&self.0, rustix::net::Shutdown::Read);
    }
}

impl Writer {
    /// Write some of the data, or wait a moment for room; returns how much was written.
    pub fn write(&mut self, data: &[u8]) -> Result<usize, Errno> {
        match rustix::io::write(&self.0, data) {
            Err(Errno::AGAIN | Errno::INTR) => {
                wait(&self.0, PollFlags::OUT, Some(&CHECK_TIME));
                Ok(0)
            }
            other => other,
        }
    }
}

fn wait(end: &OwnedFd, event: PollFlags, time: Option<&Timespec>) {
    let _ = poll(&mut [PollFd::new(end, event)], time);
}

/// A connection of two descriptors, which no call waits for from now on.
pub fn connection(reader: OwnedFd, writer: OwnedFd, inherited: Vec<OwnedFd>) -> Result<(Reader, Writer), Errno> {
    for end in [&reader, &writer] {
        rustix::fs::fcntl_setfl(end, rustix::fs::fcntl_getfl(end)? | OFlags::NONBLOCK)?;
    }
    Ok((Reader(reader), Writer(writer, inherited)))
}

/// A connection of one descriptor.
pub fn duplex(end: OwnedFd, inherited: Vec<OwnedFd>) -> Result<(Reader, Writer), Errno> {
    let copy = rustix::io::fcntl_dupfd_cloexec(&end, 3)?;
    connection(end, copy, inherited)
}

/// One URL is read and written; of two, the first is read and the second written. The error is a text.
pub fn open_urls(urls: &[String]) -> Result<(Reader, Writer), String> {
    let failed = |url: &str, error: String| format!("cannot open {url}: {error}");
    let named = urls.iter().map(|url| parse(url).map_err(|error| failed(url, error))).collect::<Result<Vec<_>, _>>()?;
    let open = |i: usize, mode: OFlags| match &named[i] {
        (Scheme::Unix, path) if mode == OFlags::RDWR => connect(path).map_err(|error| failed(&urls[i], error)),
        (Scheme::Unix, _) => Err(failed(&urls[i], "it is a stream in both directions, and not one of two".to_string())),
        (Scheme::File, path) => open_file(path, mode).map_err(|error| failed(&urls[i], error)),
    };
    let connected = match urls.len() {
        0 => return Err("there is no host: the program was started without --host".to_string()),
        1 => {
            let end = open(0, OFlags::RDWR)?;
            duplex(end, inherited(&named))
        }
        2 => {
            let (reader, writer) = (open(0, OFlags::RDONLY)?, open(1, OFlags::WRONLY)?);
            connection(reader, writer, inherited(&named))
        }
        count => return Err(format!("one or two URLs are expected, not {count}")),
    };
    connected.map_err(|error| failed(&urls[0], error.to_string()))
}

#[derive(PartialEq)]
enum Scheme {
    File,
    Unix,
}

/// Scheme and path of a URL.
fn parse(url: &str) -> Result<(Scheme, Vec<u8>), String> {
    let (scheme, rest) = url.split_once(':').ok_or("it is no URL")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "file" => Scheme::File,
        "unix" => Scheme::Unix,
        other => return Err(format!("unknown scheme {other:?}")),
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    let path = decode(path).ok_or("bad percent escape")?;
    if !matches!(authority, "" | "localhost") || path.contains(&0) || path.first() != Some(&b'/') {
        return Err("expected an absolute path on this machine".to_string());
    }
    Ok((scheme, path))
}

/// Undo the percent-encoding.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut pieces = text.split('%');
    let mut decoded = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let digits = piece.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        decoded.push(u8::from_str_radix(digits, 16).ok()?);
        decoded.extend_from_slice(&piece.as_bytes()[2..]);
    }
    Some(decoded)
}

/// The URL of an absolute path.
pub fn url_of(scheme: &str, path: &Path) -> String {
    let mut url = format!("{scheme}://");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => url.push(*byte as char),
            _ if byte.is_ascii_alphanumeric() => url.push(*byte as char),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

/// Open a file. The writing end of a named pipe can be opened as soon as the host opens the other one.
fn open_file(path: &[u8], mode: OFlags) -> Result<OwnedFd, String> {
    let deadline = Instant::now() + OPEN_TIME;
    loop {
        match rustix::fs::open(path, mode | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()) {
            Err(Errno::NXIO) if mode == OFlags::WRONLY && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(error.to_string()),
            Ok(end) if is_directory(&end) => return Err("it is a directory".to_string()),
            Ok(end) => return Ok(end),
        }
    }
}

fn is_directory(end: &OwnedFd) -> bool {
    let is = |stat: rustix::fs::Stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
    rustix::fs::fstat(end).is_ok_and(is)
}

/// Connect to a socket; neither through a symbolic link nor to another user's process.
fn connect(path: &[u8]) -> Result<OwnedFd, String> {
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    let text = |error: std::io::Error| error.to_string();
    if path.symlink_metadata().map_err(text)?.file_type().is_symlink() {
        return Err("it is a symbolic link".to_string());
    }
    let end = UnixStream::connect(path).map_err(text)?;
    if !is_peer_trusted(&end) {
        return Err("the process of another user listens there".to_string());
    }
    Ok(end.into())
}

/// Whether the process at the other end of a socket is this user's or root's.
pub fn is_peer_trusted(end: &impl AsFd) -> bool {
    let trusted = |user: rustix::process::Uid| user.is_root() || user == rustix::process::geteuid();
    rustix::net::sockopt::socket_peercred(end).is_ok_and(|peer| trusted(peer.uid))
}

/// The inherited descriptors among the paths: opening them has made others, and these have to be closed as well.
fn inherited(named: &[(Scheme, Vec<u8>)]) -> Vec<OwnedFd> {
    let number = |path: &[u8]| {
        let rest = path.strip_prefix(b"/dev/fd/").or_else(|| path.strip_prefix(b"/proc/self/fd/"))?;
        std::str::from_utf8(rest).ok()?.parse::<i32>().ok().filter(|number| *number > 2)
    };
    let mut numbers: Vec<i32> = named.iter().filter_map(|(_, path)| number(path)).collect();
    numbers.dedup();
    // The URL says that they are the connection's; nobody else in this process uses them.
    numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }).collect()
}

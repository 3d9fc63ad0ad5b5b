//! The ways in which a host offers a connection: inherited pipes, and a socket in a private folder.

use std::fs::{DirBuilder, Permissions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::streams::{connection, duplex, is_peer_trusted, url_of, Reader, Writer};

/// A connection that the plugin is still to open.
pub trait Offer: Send + Sync {
    /// What `--host` is given.
    fn urls(&self) -> Vec<String>;
    /// The plugin's process has been started.
    fn started(&mut self) {}
    /// Take the function that waits for the plugin, and returns None when it never comes.
    fn connect(&mut self) -> Box<dyn FnOnce() -> Option<(Reader, Writer)> + Send>;
    /// End the wait; what is still offered is taken back.
    fn plugin_gone(&self) {}
}

/// Two pipes whose ends the plugin inherits and opens by `/dev/fd/N`.
pub struct Pipes {
    own: Option<(OwnedFd, OwnedFd)>,
    plugins: Vec<OwnedFd>,
}

impl Pipes {
    pub fn offer() -> io::Result<Box<dyn Offer>> {
        let (plugin_reads, writer) = io::pipe()?;
        let (reader, plugin_writes) = io::pipe()?;
        let plugins: Vec<OwnedFd> = vec![plugin_reads.into(), plugin_writes.into()];
        for end in &plugins {
            rustix::io::fcntl_setfd(end, rustix::io::FdFlags::empty())?; // to be inherited
        }
        Ok(Box::new(Pipes { own: Some((reader.into(), writer.into())), plugins }))
    }
}

impl Offer for Pipes {
    fn urls(&self) -> Vec<String> {
        self.plugins.iter().map(|end| format!("file:///dev/fd/{}", end.as_raw_fd())).collect()
    }

    /// Close the plugin's ends: only then does its end show as end of file.
    fn started(&mut self) {
        self.plugins.clear();
    }

    fn connect(&mut self) -> Box<dyn FnOnce() -> Option<(Reader, Writer)> + Send> {
        let own = self.own.take();
        Box::new(move || own.and_then(|(reader, writer)| connection(reader, writer, vec![]).ok()))
    }
}

/// A folder that is removed when it is dropped, or before.
struct Folder(PathBuf);

impl Folder {
    fn make() -> io::Result<Folder> {
        let number = RandomState::new().build_hasher().finish();
        let path = std::env::temp_dir().join(format!("host-{}-{number:x}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

fn remove(folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
}

/// A socket at which the plugin connects. Nobody else can reach it, and processes of other users are refused.
pub struct Socket {
    folder: Folder,
    listener: UnixListener,
}

impl Socket {
    pub fn offer() -> io::Result<Box<dyn Offer>> {
        let folder = Folder::make()?;
        let path = folder.0.join("socket");
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Box::new(Socket { folder, listener }))
    }
}

impl Offer for Socket {
    fn urls(&self) -> Vec<String> {
        vec![url_of("unix", &self.folder.0.join("socket"))]
    }

    /// Waits for the first connection of a process of this user or of root.
    fn connect(&mut self) -> Box<dyn FnOnce() -> Option<(Reader, Writer)> + Send> {
        let listener = self.listener.try_clone();
        let folder = self.folder.0.clone();
        Box::new(move || {
            let listener = listener.ok()?;
            loop {
                let (end, _) = listener.accept().ok()?; // fails when `plugin_gone` has shut the listener down
                if is_peer_trusted(&end) {
                    let _ = rustix::net::shutdown(&listener, rustix::net::Shutdown::Both);
                    remove(&folder);
                    return duplex(end.into(), vec![]).ok();
                }
            }
        })
    }

    /// Whoever waits at the listener stops; a connection that was made before is still found.
    fn plugin_gone(&self) {
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        remove(&self.folder.0);
    }
}

pub type Bind = fn() -> io::Result<Box<dyn Offer>>;

/// The binds by name.
pub const BINDS: &[(&str, Bind)] = &[("devfd", Pipes::offer), ("unix", Socket::offer)];

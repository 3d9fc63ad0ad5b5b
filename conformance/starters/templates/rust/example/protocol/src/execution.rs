//! A host runs a plugin: discovery, start, services, end.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{mpsc, Arc};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use crate::offers::Bind;
use crate::registry::Registry;
use crate::server::Server;

const INFO_TIME: Duration = Duration::from_secs(20);
/// To read what a plugin has left behind.
const DRAIN_TIME: Duration = Duration::from_secs(2);
/// For a plugin to end after its connection was ended.
const END_TIME: Duration = Duration::from_secs(5);

/// The path of the plugin's command of a type, by its `info`.
pub fn discover(plugin: &str, kind: &str) -> Result<Vec<String>, String> {
    let failed = |why: String| format!("{plugin} info: {why}");
    // A file in memory: a process that the plugin leaves behind cannot hold it open.
    let output = rustix::fs::memfd_create("info", rustix::fs::MemfdFlags::CLOEXEC).map_err(|error| error.to_string())?;
    let mut output = File::from(output);
    let to = output.try_clone().map_err(|error| error.to_string())?;
    let mut child = start(Command::new(plugin).arg("info").stdout(to))?;
    let status = wait_for(&mut child, INFO_TIME);
    let _ = child.kill();
    match status.or_else(|| child.wait().ok().filter(|_| false)) {
        None => return Err(failed(format!("did not end within {} seconds", INFO_TIME.as_secs()))),
        Some(status) if !status.success() => return Err(failed(describe(status))),
        Some(_) => {}
    }
    let mut printed = Vec::new();
    output.rewind().and_then(|()| output.read_to_end(&mut printed)).map_err(|error| failed(error.to_string()))?;
    let mut reader = serde_json::Deserializer::from_slice(&printed);
    let manifest = Value::deserialize(&mut reader).map_err(|error| failed(format!("no manifest was printed: {error}")))?;
    path_of(&manifest, kind).map_err(failed)
}

fn path_of(manifest: &Value, kind: &str) -> Result<Vec<String>, String> {
    if manifest["manifestVersion"].as_i64() != Some(1) {
        return Err(format!("manifestVersion is {}, expected 1", manifest["manifestVersion"]));
    }
    let mut found = Err(format!("there is no command of the type {kind}"));
    for command in manifest["commands"].as_array().ok_or("the manifest has no commands")? {
        let words = command["path"].as_array().ok_or("a command has no path")?;
        let path: Option<Vec<String>> = words.iter().map(|word| word.as_str().map(str::to_string)).collect();
        let path = path.ok_or("the path of a command has something that is no string")?;
        if found.is_err() && command["type"] == kind {
            found = Ok(path);
        }
    }
    found
}

/// A registry, and the way in which it is offered.
pub struct Bound {
    registry: Arc<Registry>,
    bind: Bind,
}

impl Bound {
    pub fn new(registry: Registry, bind: Bind) -> Bound {
        Bound { registry: Arc::new(registry), bind }
    }

    /// Run a plugin's command and wait for it. It is an error, in one line, unless it ends well.
    pub fn execute(&self, plugin: &str, path: &[String], args: &[String]) -> Result<(), String> {
        let mut offer = (self.bind)().map_err(|error| format!("cannot offer a connection: {error}"))?;
        let flags = offer.urls().into_iter().flat_map(|url| ["--host".to_string(), url]);
        let mut child = start(Command::new(plugin).args(path).args(flags).args(args).stdout(Stdio::null()))?;
        offer.started();
        let (sender, receiver) = mpsc::channel();
        let (connect, registry, plugin) = (offer.connect(), self.registry.clone(), child.id());
        thread::spawn(move || {
            if let Some((reader, writer)) = connect() {
                let server = Server::start(registry, reader, writer);
                let _ = sender.send(server.clone());
                end_after_problem(&server, plugin);
            }
        });
        let status = child.wait().map_err(|error| error.to_string())?;
        offer.plugin_gone();
        let mut report = Vec::new();
        if !status.success() {
            report.push(format!("the plugin {}", describe(status)));
        }
        if let Ok(server) = receiver.recv_timeout(DRAIN_TIME) {
            server.plugin_gone();
            report.extend(server.wait_for_problem(Some(DRAIN_TIME)));
        }
        if report.is_empty() { Ok(()) } else { Err(report.join("; ")) }
    }
}

/// A plugin whose connection was ended for a malformed request should end; it is not waited for without limit.
fn end_after_problem(server: &Server, plugin: u32) {
    if server.wait_for_problem(None).is_some() {
        thread::sleep(END_TIME);
        // The process is not reaped before it has ended, and then this one ends as well.
        if let Some(plugin) = rustix::process::Pid::from_raw(plugin as i32) {
            let _ = rustix::process::kill_process(plugin, rustix::process::Signal::KILL);
        }
    }
}

fn start(command: &mut Command) -> Result<Child, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).spawn().map_err(|error| format!("{name}: cannot be started: {error}"))
}

fn wait_for(child: &mut Child, time: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + time;
    while Instant::now() < deadline {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    None
}

/// How a process ended.
fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (_, Some(signal)) => format!("was killed by signal {signal}"),
        _ => "did not end well".to_string(),
    }
}

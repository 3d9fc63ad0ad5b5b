//! The host side of one connection: requests in, replies out.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{mpsc, Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{json, Value};

use crate::messages::{self, Request};
use crate::registry::{Registry, Service};
use crate::scanner::Scanner;
use crate::streams::{Reader, Writer};
use crate::types::check_all;

/// How long running services have to be answered after a malformed request.
const GRACE: Duration = Duration::from_secs(1);
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

#[derive(Default)]
struct State {
    running: usize,
    plugin_gone: bool,
    read_all: bool,
    problem: Option<String>,
}

/// Answers requests: one thread reads, one writes, and each call has a thread of its own.
///
/// So a slow service holds up nobody, and a reply that waits for room does not keep requests from being read.
pub struct Server {
    registry: Arc<Registry>,
    replies: mpsc::Sender<Option<Vec<u8>>>,
    state: Mutex<State>,
    changed: Condvar,
}

impl Server {
    pub fn start(registry: Arc<Registry>, reader: Reader, writer: Writer) -> Arc<Server> {
        let (replies, written) = mpsc::channel();
        let server = Arc::new(Server { registry, replies, state: Mutex::default(), changed: Condvar::new() });
        let (reading, writing) = (server.clone(), server.clone());
        thread::spawn(move || reading.read(reader));
        thread::spawn(move || writing.write(writer, written));
        server
    }

    /// The plugin's process has ended: no service is waited for.
    pub fn plugin_gone(&self) {
        self.state.lock().unwrap().plugin_gone = true;
        self.changed.notify_all();
    }

    /// Wait until nothing more is read, and tell what was wrong with the requests.
    pub fn wait_for_problem(&self, time: Option<Duration>) -> Option<String> {
        let state = self.state.lock().unwrap();
        let waiting = |state: &mut State| !state.read_all;
        let (state, _) = self.changed.wait_timeout_while(state, time.unwrap_or(FOREVER), waiting).unwrap();
        state.problem.clone()
    }

    fn read(self: &Arc<Self>, mut reader: Reader) {
        let mut scanner = Scanner::default();
        let mut buffer = vec![0; 1 << 16];
        let problem = loop {
            match reader.read(&mut buffer) {
                Ok(0) if scanner.within_message() => {
                    break Some("malformed request: end of file in the middle of a message".to_string());
                }
                Ok(0) => break None,
                Err(error) => break Some(format!("cannot read requests: {error}")),
                Ok(count) => {
                    let accept = |message: &[u8]| messages::read_request(message).map(|request| self.accept(request));
                    if let Err(malformed) = scanner.feed(&buffer[..count], accept) {
                        break Some(format!("malformed request: {}", malformed.0));
                    }
                }
            }
        };
        drop(reader);
        let time = if problem.is_some() { GRACE } else { FOREVER };
        let mut state = self.state.lock().unwrap();
        state.problem = problem;
        state.read_all = true;
        self.changed.notify_all();
        let waiting = |state: &mut State| state.running > 0 && !state.plugin_gone;
        drop(self.changed.wait_timeout_while(state, time, waiting));
        let _ = self.replies.send(None);
    }

    /// Write the replies in the order in which they are ready. A plugin that reads no more gets none.
    fn write(&self, mut writer: Writer, replies: mpsc::Receiver<Option<Vec<u8>>>) {
        let mut broken = false;
        while let Ok(Some(message)) = replies.recv() {
            let mut rest = message.as_slice();
            while !rest.is_empty() && !broken && !self.state.lock().unwrap().plugin_gone {
                match writer.write(rest) {
                    Ok(count) => rest = &rest[count..],
                    Err(_) => broken = true,
                }
            }
        }
    }

    fn accept(self: &Arc<Self>, request: Request) {
        let namespace = self.registry.find(&request.namespace);
        let answer = match (request.kind.as_str(), namespace) {
            ("hasNamespace", found) => json!({"ok": found.is_some()}),
            (_, None) => error(format!("undefined namespace {}", json!(request.namespace))),
            ("getManifest", Some(found)) => json!({"reply": found.manifest}),
            ("listServices", Some(found)) => json!({"services": found.services.keys().collect::<Vec<_>>()}),
            ("call", Some(found)) => match found.services.get(&request.name) {
                Some(service) => return self.call(request, service.clone()),
                None => error(format!("undefined service {}", json!(request.name))),
            },
            (kind, _) => error(format!("invalid request type {}", json!(kind))),
        };
        self.reply(request.sequence, answer);
    }

    fn call(self: &Arc<Self>, request: Request, service: Service) {
        self.state.lock().unwrap().running += 1;
        let server = self.clone();
        thread::spawn(move || {
            let answer = catch_unwind(AssertUnwindSafe(|| run(&service, request.args)));
            server.reply(request.sequence, answer.unwrap_or_else(|panic| error(format!("panic in service: {}", text_of(&panic)))));
            server.state.lock().unwrap().running -= 1;
            server.changed.notify_all();
        });
    }

    fn reply(&self, sequence: u64, mut answer: Value) {
        answer["sequence"] = json!(sequence);
        let _ = self.replies.send(Some(messages::write(&answer)));
    }
}

fn run(service: &Service, args: Option<Value>) -> Value {
    let args = match check_all(&service.params, args.unwrap_or_default(), "arguments") {
        Ok(args) => args,
        Err(mismatch) => return error(mismatch.to_string()),
    };
    let results = (service.function)(args)
        .and_then(|results| check_all(&service.results, Value::Array(results), "results").map_err(|e| e.to_string()));
    match results {
        Ok(results) => json!({"reply": results}),
        Err(text) => error(text),
    }
}

fn error(text: String) -> Value {
    json!({"error": text})
}

fn text_of(panic: &Box<dyn std::any::Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

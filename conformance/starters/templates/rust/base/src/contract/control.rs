//! The plugin side of the contract: instructions in, outcomes out, one JSON object a line.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::FromRawFd;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::{mpsc, Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{json, Value};

use crate::plugin::Plugin;

/// How long running instructions have to end after the last one was read.
const GRACE: Duration = Duration::from_millis(250);

/// Levels of nesting that are read; more of them would need a larger stack.
const MAX_DEPTH: usize = 2_000;

/// How an operation fails.
#[allow(dead_code)]
pub enum Failure {
    /// An ordinary error: the text is exactly what the implementation gives its caller.
    Error(String),
    /// The implementation refuses a mistake of the programmer; a panic has the same outcome.
    Misuse(String),
    /// The implementation, or this testee, cannot do it.
    Unsupported(String),
}

fn unsupported<T>(what: &str) -> Result<T, Failure> {
    Err(Failure::Unsupported(what.to_string()))
}

/// Names and types of a service, as an instruction has them. A type is a name, or an object with one member.
#[allow(dead_code)]
pub struct Target<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
    pub params: &'a [Value],
    pub results: &'a [Value],
}

/// What the suite asks of a plugin; what is not written here is unsupported. Values are in their JSON form.
pub trait PluginSide: Send + Sync {
    /// Make a typed consumer of a service and call it; returns the results.
    fn call(&self, _target: &Target, _args: Vec<Value>) -> Result<Vec<Value>, Failure> {
        unsupported("call")
    }
    /// Whether the host has a namespace.
    fn has_namespace(&self, _namespace: &str) -> Result<bool, Failure> {
        unsupported("hasNamespace")
    }
    /// The manifest of a namespace.
    fn get_manifest(&self, _namespace: &str) -> Result<Value, Failure> {
        unsupported("getManifest")
    }
    /// The services of a namespace.
    fn list_services(&self, _namespace: &str) -> Result<Vec<String>, Failure> {
        unsupported("listServices")
    }
    /// Whether the plugin was started by a host.
    fn hosted(&self) -> Result<bool, Failure> {
        unsupported("hosted")
    }
    /// Make a typed consumer without calling it, or commit a misuse of the consumer.
    fn bind(&self, _target: &Target, _misuse: Option<&str>) -> Result<(), Failure> {
        unsupported("bind")
    }
    /// Call a stub whose local function returns its arguments in reverse.
    fn fallback(&self, _namespace: &str, _name: &str, _args: Vec<Value>) -> Result<Vec<Value>, Failure> {
        unsupported("fallback")
    }
}

struct Control {
    plugin: Plugin,
    outcomes: Mutex<File>,
    unfinished: Mutex<usize>,
    changed: Condvar,
}

/// Carry out instructions until the input ends; `words` have a `--host URL` for each URL.
pub fn run(words: &[String]) -> ExitCode {
    let urls = words.windows(2).filter(|pair| pair[0] == "--host").map(|pair| pair[1].clone()).collect();
    let (reader, writer) = descriptors();
    // These descriptors belong to nobody else in this process.
    let (instructions, outcomes) = unsafe { (File::from_raw_fd(reader), File::from_raw_fd(writer)) };
    let control = Arc::new(Control {
        plugin: Plugin::new(urls),
        outcomes: Mutex::new(outcomes),
        unfinished: Mutex::new(0),
        changed: Condvar::new(),
    });
    let (sender, receiver) = mpsc::channel();
    let worker = control.clone();
    thread::spawn(move || worker.work(receiver));
    for line in BufReader::new(instructions).split(b'\n').map_while(Result::ok) {
        *control.unfinished.lock().unwrap() += 1;
        let _ = sender.send(line);
    }
    let unfinished = control.unfinished.lock().unwrap();
    let _ = control.changed.wait_timeout_while(unfinished, GRACE, |count| *count > 0);
    std::process::exit(0) // whatever is still going on
}

/// The descriptors of instructions and outcomes.
fn descriptors() -> (i32, i32) {
    let named = std::env::var("CONFORMANCE_CONTROL").unwrap_or_default();
    match named.split_once(',').map(|(reader, writer)| (reader.parse(), writer.parse())) {
        Some((Ok(reader), Ok(writer))) => (reader, writer),
        _ => (0, 1),
    }
}

impl Control {
    fn work(self: Arc<Self>, lines: mpsc::Receiver<Vec<u8>>) {
        for line in lines {
            let text = String::from_utf8_lossy(&line);
            let instruction = match parse(&text) {
                Ok(instruction) => instruction,
                Err(why) => {
                    self.write(&json!(id_of(&text)), "error", json!(format!("the instruction cannot be read: {why}")));
                    continue;
                }
            };
            if instruction["async"] == true {
                let control = self.clone();
                thread::spawn(move || control.carry_out(&instruction));
            } else {
                self.carry_out(&instruction);
            }
        }
    }

    fn carry_out(&self, instruction: &Value) {
        let done = catch_unwind(AssertUnwindSafe(|| self.perform(instruction)));
        let (kind, value) = match done {
            Ok(Ok(value)) => ("ok", value),
            Ok(Err(Failure::Error(text))) => ("error", json!(text)),
            Ok(Err(Failure::Misuse(text))) => ("panic", json!(text)),
            Ok(Err(Failure::Unsupported(text))) => ("unsupported", json!(text)),
            Err(panic) => ("panic", json!(panic_text(panic.as_ref()))),
        };
        self.write(&instruction["id"], kind, value);
    }

    fn write(&self, id: &Value, kind: &str, value: Value) {
        let line = format!("{}\n", json!({"id": id, kind: value}));
        let _ = self.outcomes.lock().unwrap().write_all(line.as_bytes());
        *self.unfinished.lock().unwrap() -= 1;
        self.changed.notify_all();
    }

    /// Carry out one instruction; what is returned belongs under `ok`.
    fn perform(&self, instruction: &Value) -> Result<Value, Failure> {
        let text = |key: &str| instruction[key].as_str().unwrap_or_default();
        let list = |key: &str| instruction[key].as_array().map(Vec::as_slice).unwrap_or_default();
        let (namespace, name) = (text("namespace"), text("name"));
        let target = Target { namespace, name, params: list("params"), results: list("results") };
        match text("op") {
            "call" => self.plugin.call(&target, list("args").to_vec()).map(Value::from),
            "hasNamespace" => self.plugin.has_namespace(namespace).map(Value::from),
            "getManifest" => self.plugin.get_manifest(namespace),
            "listServices" => self.plugin.list_services(namespace).map(Value::from),
            "hosted" => self.plugin.hosted().map(Value::from),
            "bind" => self.plugin.bind(&target, instruction["misuse"].as_str()).map(|()| json!("bound")),
            "fallback" => self.plugin.fallback(namespace, name, list("args").to_vec()).map(Value::from),
            "exit" => std::process::exit(instruction["code"].as_i64().unwrap_or(0) as i32),
            op => unsupported(&format!("the op {op:?}")),
        }
    }
}

/// How deep a JSON text is nested.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The value of a JSON text.
fn parse(text: &str) -> Result<Value, String> {
    if depth(text.as_bytes()) > MAX_DEPTH {
        return Err(format!("nested deeper than {MAX_DEPTH} levels"));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.disable_recursion_limit();
    Value::deserialize(&mut reader).map_err(|error| error.to_string())
}

/// The id of an instruction that cannot be read.
fn id_of(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("\"id\":")?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// What a panic says.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a text".to_string())
}

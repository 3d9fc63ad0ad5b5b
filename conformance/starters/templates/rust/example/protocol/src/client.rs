//! The plugin side: requests out, replies in, and typed consumers of services.

use std::collections::HashMap;
use std::fmt;
use std::sync::{mpsc, Arc, Mutex};
use std::thread;

use serde_json::{json, Value};

use crate::messages::{self, Reply};
use crate::scanner::Scanner;
use crate::streams::{open_urls, Reader, Writer};
use crate::types::{check_all, Type};

/// How an operation of a plugin fails.
#[derive(Debug)]
pub enum Error {
    /// The host answered with an error; the text is the host's.
    Service(String),
    /// There is no connection, or it has ended.
    Connection(String),
    /// A value does not fit its type, or their number is wrong.
    Mismatch(String),
}

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        let (Error::Service(text) | Error::Connection(text) | Error::Mismatch(text)) = self;
        to.write_str(text)
    }
}

#[derive(Default)]
struct State {
    sequence: u64,
    /// Who waits for which reply; when a sender is dropped, its request fails.
    pending: HashMap<u64, mpsc::Sender<Reply>>,
    /// Why the connection has ended.
    end: Option<String>,
}

/// The requests of one connection. One thread reads the replies; each caller writes its own request.
struct Client {
    state: Mutex<State>,
    writer: Mutex<Option<Writer>>,
}

impl Client {
    fn start(reader: Reader, writer: Writer) -> Arc<Client> {
        let client = Arc::new(Client { state: Mutex::default(), writer: Mutex::new(Some(writer)) });
        let reading = client.clone();
        thread::spawn(move || reading.read(reader));
        client
    }

    /// Send a request and wait for its reply.
    fn request(&self, mut request: Value) -> Result<Reply, Error> {
        let (sender, receiver) = mpsc::channel();
        {
            let mut state = self.state.lock().unwrap();
            if let Some(end) = &state.end {
                return Err(Error::Connection(end.clone()));
            }
            state.sequence += 1;
            request["sequence"] = json!(state.sequence);
            let sequence = state.sequence;
            state.pending.insert(sequence, sender);
        }
        self.write(&messages::write(&request));
        match receiver.recv() {
            Ok(Reply { error: Some(text), .. }) => Err(Error::Service(text)),
            Ok(reply) => Ok(reply),
            Err(_) => Err(Error::Connection(self.state.lock().unwrap().end.clone().unwrap_or_default())),
        }
    }

    /// Write a whole message, one at a time, as long as there is a connection.
    fn write(&self, mut rest: &[u8]) {
        let mut writer = self.writer.lock().unwrap();
        while let (Some(writer), false) = (writer.as_mut(), rest.is_empty() || self.has_ended()) {
            match writer.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) => self.fail(format!("connection lost: writing failed: {error}")),
            }
        }
    }

    fn has_ended(&self) -> bool {
        self.state.lock().unwrap().end.is_some()
    }

    fn read(&self, mut reader: Reader) {
        let mut scanner = Scanner::default();
        let mut buffer = vec![0; 1 << 16];
        let reason = loop {
            match reader.read(&mut buffer) {
                Ok(0) if scanner.within_message() => break "end of file in the middle of a message".to_string(),
                Ok(0) => break "end of file".to_string(),
                Err(error) => break format!("reading failed: {error}"),
                Ok(count) => {
                    let deliver = |message: &[u8]| messages::read_reply(message).map(|reply| self.deliver(reply));
                    if let Err(malformed) = scanner.feed(&buffer[..count], deliver) {
                        break format!("malformed message: {}", malformed.0);
                    }
                }
            }
        };
        self.fail(format!("connection lost: {reason}"));
        drop(reader);
        self.writer.lock().unwrap().take();
    }

    fn deliver(&self, reply: Reply) {
        let pending = self.state.lock().unwrap().pending.remove(&reply.sequence);
        if let Some(sender) = pending {
            let _ = sender.send(reply); // a reply that nobody waits for is ignored
        }
    }

    /// End the connection: whoever waits fails, and so does every later request.
    fn fail(&self, reason: String) {
        let mut state = self.state.lock().unwrap();
        state.end.get_or_insert(reason);
        state.pending.clear();
    }
}

/// What a plugin uses. The connection is opened by the first request; where that fails, the next one tries again.
pub struct Plugin {
    urls: Vec<String>,
    client: Mutex<Option<Arc<Client>>>,
}

impl Plugin {
    pub fn new(urls: Vec<String>) -> Plugin {
        Plugin { urls, client: Mutex::new(None) }
    }

    /// Whether the plugin was started by a host.
    pub fn hosted(&self) -> bool {
        !self.urls.is_empty()
    }

    fn request(&self, request: Value) -> Result<Reply, Error> {
        let client = {
            let mut slot = self.client.lock().unwrap();
            if slot.is_none() {
                let (reader, writer) = open_urls(&self.urls).map_err(Error::Connection)?;
                *slot = Some(Client::start(reader, writer));
            }
            slot.clone()
        };
        client.map_or_else(|| Err(Error::Connection("no connection".to_string())), |client| client.request(request))
    }

    /// Whether the host has a namespace.
    pub fn has_namespace(&self, namespace: &str) -> Result<bool, Error> {
        Ok(self.request(json!({"type": "hasNamespace", "namespace": namespace}))?.ok)
    }

    /// The manifest of a namespace.
    pub fn get_manifest(&self, namespace: &str) -> Result<Value, Error> {
        Ok(self.request(json!({"type": "getManifest", "namespace": namespace}))?.reply.unwrap_or_default())
    }

    /// The services of a namespace.
    pub fn list_services(&self, namespace: &str) -> Result<Vec<String>, Error> {
        Ok(self.request(json!({"type": "listServices", "namespace": namespace}))?.services)
    }

    /// A function that calls a service with these types.
    pub fn consumer<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
        params: Vec<Type>,
        results: Vec<Type>,
    ) -> impl Fn(Vec<Value>) -> Result<Vec<Value>, Error> + 'a {
        move |args| {
            let mismatch = |error: crate::types::Mismatch| Error::Mismatch(error.to_string());
            let args = check_all(&params, Value::Array(args), "arguments").map_err(mismatch)?;
            let request = json!({"type": "call", "namespace": namespace, "name": name, "args": args});
            match self.request(request)?.reply {
                None | Some(Value::Null) if results.is_empty() => Ok(vec![]),
                reply => check_all(&results, reply.unwrap_or_default(), "results").map_err(mismatch),
            }
        }
    }
}

//! Messages: which fields they have, and how they are read and written.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::scanner::Malformed;

/// What a plugin asks; `args` is whatever came, or None.
pub struct Request {
    pub sequence: u64,
    pub kind: String,
    pub namespace: String,
    pub name: String,
    pub args: Option<Value>,
}

/// What a host answers; `reply` is whatever came, or None.
pub struct Reply {
    pub sequence: u64,
    pub reply: Option<Value>,
    pub ok: bool,
    pub services: Vec<String>,
    pub error: Option<String>,
}

/// A message, with the line feed at its end.
pub fn write(message: &Value) -> Vec<u8> {
    format!("{message}\n").into_bytes()
}

pub fn read_request(message: &[u8]) -> Result<Request, Malformed> {
    let mut fields = object(message)?;
    Ok(Request {
        sequence: sequence(&fields)?,
        kind: text(&mut fields, "type")?.unwrap_or_default(),
        namespace: text(&mut fields, "namespace")?.unwrap_or_default(),
        name: text(&mut fields, "name")?.unwrap_or_default(),
        args: fields.remove("args"),
    })
}

pub fn read_reply(message: &[u8]) -> Result<Reply, Malformed> {
    let mut fields = object(message)?;
    let ok = match fields.get("ok") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(ok)) => *ok,
        Some(_) => return Err(Malformed("`ok` is no boolean".to_string())),
    };
    let services = match fields.remove("services") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(names)) => names.iter().map(|name| name.as_str().map(str::to_string)).collect(),
        Some(_) => None,
    };
    Ok(Reply {
        sequence: sequence(&fields)?,
        ok,
        services: services.ok_or_else(|| Malformed("`services` is no array of strings".to_string()))?,
        error: text(&mut fields, "error")?,
        reply: fields.remove("reply"),
    })
}

fn object(message: &[u8]) -> Result<Map<String, Value>, Malformed> {
    let text = String::from_utf8_lossy(message);
    let mut reader = serde_json::Deserializer::from_str(&text);
    reader.disable_recursion_limit(); // the scanner has a limit
    Map::deserialize(&mut reader).map_err(|error| Malformed(error.to_string()))
}

fn sequence(fields: &Map<String, Value>) -> Result<u64, Malformed> {
    match fields.get("sequence") {
        None | Some(Value::Null) => Ok(0),
        Some(value) => {
            value.as_u64().ok_or_else(|| Malformed("`sequence` is no integer from 0 to 2^64-1".to_string()))
        }
    }
}

fn text(fields: &mut Map<String, Value>, key: &str) -> Result<Option<String>, Malformed> {
    match fields.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Malformed(format!("`{key}` is no string"))),
    }
}

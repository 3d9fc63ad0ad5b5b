//! The registry that the contract demands of the host side, as plain data and functions.
//!
//! Values are in their JSON form here: bytes are base64 text, a point is an object, an optional is null or its value.
#![allow(dead_code)]

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{json, Value};

/// A service fails with this text.
pub struct ServiceError(pub String);

impl From<serde_json::Error> for ServiceError {
    fn from(error: serde_json::Error) -> Self {
        ServiceError(format!("JSON cannot carry a result: {error}"))
    }
}

pub type Function = Arc<dyn Fn(&[Value]) -> Result<Vec<Value>, ServiceError> + Send + Sync>;

/// A function with its types.
pub struct Service {
    pub name: String,
    pub params: Vec<Value>,
    pub results: Vec<Value>,
    pub function: Function,
}

/// A manifest and services.
pub struct Namespace {
    pub name: &'static str,
    pub manifest: Value,
    pub services: Vec<Service>,
}

fn service<F>(name: &str, params: &[&str], results: &[&str], function: F) -> Service
where
    F: Fn(&[Value]) -> Result<Vec<Value>, ServiceError> + Send + Sync + 'static,
{
    let types = |names: &[&str]| names.iter().map(|name| json!(name)).collect();
    Service { name: name.to_string(), params: types(params), results: types(results), function: Arc::new(function) }
}

fn says(name: &str, text: &'static str) -> Service {
    service(name, &[], &["string"], move |_| Ok(vec![json!(text)]))
}

fn echo(of: Value) -> Service {
    let function: Function = Arc::new(|args| Ok(args.to_vec()));
    Service { name: format!("echo_{}", type_name(&of)), params: vec![of.clone()], results: vec![of], function }
}

fn integer(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default() // the implementation has checked it
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

/// A type as it is written in the name of a service: `list_int64`.
fn type_name(of: &Value) -> String {
    match of.as_object().and_then(|kinds| kinds.iter().next()) {
        Some((kind, inner)) => format!("{kind}_{}", type_name(inner)),
        None => text(of),
    }
}

/// The services of the namespace `conformance`, for the types that the implementation declares.
fn conformance(types: &[&str]) -> Vec<Service> {
    let mut services = vec![
        service("echo", &["any"], &["any"], |args| Ok(args.to_vec())),
        service("add", &["int64", "int64"], &["int64"], |args| {
            Ok(vec![json!(integer(&args[0]).wrapping_add(integer(&args[1])))])
        }),
        service("swap", &["any", "any"], &["any", "any"], |args| Ok(vec![args[1].clone(), args[0].clone()])),
        service("none", &[], &[], |_| Ok(vec![])),
        service("fail", &["string"], &[], |args| Err(ServiceError(text(&args[0])))),
        service("fail_after", &["string", "string"], &["string"], |args| Err(ServiceError(text(&args[1])))),
        service("panic", &["string"], &[], |args| panic!("{}", text(&args[0]))),
        service("sleep", &["int64"], &["int64"], |args| {
            thread::sleep(Duration::from_millis(integer(&args[0]) as u64));
            Ok(args.to_vec())
        }),
        service("blob", &["int64"], &["string"], |args| Ok(vec![json!("x".repeat(integer(&args[0]) as usize))])),
        service("unserializable", &[], &["any"], |_| Ok(vec![serde_json::to_value(HashMap::from([((1, 2), 3)]))?])),
    ];
    let names: Vec<Value> = types.iter().map(|name| json!(name)).collect();
    let kinds: &[&str] = if types.iter().any(|name| *name != "any") { &["list", "map", "optional"] } else { &[] };
    let within = |types: &[Value]| -> Vec<Value> {
        types.iter().flat_map(|of| kinds.iter().map(move |kind| json!({*kind: of}))).collect()
    };
    let once = within(&names);
    let twice = within(&once);
    services.extend([names, once, twice].into_iter().flatten().map(echo));
    services
}

/// What the parent registry defines.
pub fn parent() -> Vec<Namespace> {
    let manifest = || json!({"layer": "parent"});
    vec![
        Namespace { name: "conformance/parent", manifest: manifest(), services: vec![says("where", "parent")] },
        Namespace {
            name: "conformance/shadow",
            manifest: manifest(),
            services: vec![says("where", "parent"), says("hidden", "hidden")],
        },
    ]
}

/// What the child registry defines, which inherits the parent.
pub fn child(types: &[&str]) -> Vec<Namespace> {
    vec![
        Namespace { name: "conformance", manifest: json!({"contract": 1}), services: conformance(types) },
        Namespace { name: "conformance/empty", manifest: Value::Null, services: vec![] },
        Namespace {
            name: "conformance/shadow",
            manifest: json!({"layer": "child"}),
            services: vec![says("where", "child")],
        },
    ]
}

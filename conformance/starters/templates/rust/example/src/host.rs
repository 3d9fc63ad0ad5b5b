//! The host side: the implementation in `protocol`, as the contract drives it.

use std::sync::Arc;

use protocol::execution::{discover, Bound};
use protocol::registry::{Registry, Service};
use protocol::types::{Type, NAMES};
use serde_json::Value;

use crate::contract::services::{self, Namespace};

pub const BINDS: &[&str] = &["devfd", "unix"];
pub const TYPES: &[&str] = NAMES;
pub const FEATURES: &[&str] = &["concurrent"];

/// Run a plugin with the registry of the contract.
pub fn run(bind: Option<&str>, plugin: &str, args: &[String]) -> Result<(), String> {
    let bind = bind.unwrap_or(BINDS[0]);
    let found = protocol::offers::BINDS.iter().find(|(name, _)| *name == bind);
    let (_, bind) = found.ok_or_else(|| format!("unknown bind {bind}"))?;
    let mut parent = Registry::default();
    define(&mut parent, services::parent());
    let mut child = Registry::inherit(parent);
    define(&mut child, services::child(TYPES));
    let path = discover(plugin, "conformance-plugin")?;
    Bound::new(child, *bind).execute(plugin, &path, args)
}

/// Put the contract's namespaces into a registry of the implementation.
fn define(registry: &mut Registry, namespaces: Vec<Namespace>) {
    let types = |names: &[Value]| -> Vec<Type> { names.iter().filter_map(Type::parse).collect() };
    for namespace in namespaces {
        registry.define(namespace.name, namespace.manifest);
        for service in namespace.services {
            let function = service.function;
            let made = Service {
                params: types(&service.params),
                results: types(&service.results),
                function: Arc::new(move |args| function(&args).map_err(|error| error.0)),
            };
            registry.add(namespace.name, &service.name, made);
        }
    }
}

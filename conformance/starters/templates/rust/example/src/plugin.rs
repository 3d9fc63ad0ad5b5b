//! The plugin side: the implementation in `protocol`, as the contract drives it.

use protocol::client::Error;
use protocol::types::{Type, NAMES};
use serde_json::{json, Value};

use crate::contract::control::{Failure, PluginSide, Target};

pub const SCHEMES: &[&str] = &["file", "unix"];
pub const TYPES: &[&str] = NAMES;
pub const FEATURES: &[&str] = &["concurrent", "single-url", "fallback", "control-fd"];

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Error(error.to_string())
    }
}

/// A plugin that was started with these URLs.
pub struct Plugin(protocol::client::Plugin);

impl Plugin {
    pub fn new(urls: Vec<String>) -> Self {
        Plugin(protocol::client::Plugin::new(urls))
    }
}

fn types(of: &[Value]) -> Result<Vec<Type>, Failure> {
    let parsed: Option<Vec<Type>> = of.iter().map(Type::parse).collect();
    parsed.ok_or_else(|| Failure::Unsupported("one of the types".to_string()))
}

impl PluginSide for Plugin {
    fn call(&self, target: &Target, args: Vec<Value>) -> Result<Vec<Value>, Failure> {
        let (params, results) = (types(target.params)?, types(target.results)?);
        Ok(self.0.consumer(target.namespace, target.name, params, results)(args)?)
    }

    fn has_namespace(&self, namespace: &str) -> Result<bool, Failure> {
        Ok(self.0.has_namespace(namespace)?)
    }

    fn get_manifest(&self, namespace: &str) -> Result<Value, Failure> {
        Ok(self.0.get_manifest(namespace)?)
    }

    fn list_services(&self, namespace: &str) -> Result<Vec<String>, Failure> {
        Ok(self.0.list_services(namespace)?)
    }

    fn hosted(&self) -> Result<bool, Failure> {
        Ok(self.0.hosted())
    }

    fn fallback(&self, namespace: &str, name: &str, args: Vec<Value>) -> Result<Vec<Value>, Failure> {
        if !self.0.hosted() {
            return Ok(args.into_iter().rev().collect());
        }
        let kinds = vec![json!("any"); args.len()];
        self.call(&Target { namespace, name, params: &kinds, results: &kinds }, args)
    }
}

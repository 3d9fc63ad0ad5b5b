//! What a host provides: namespaces with manifests and services, and registries that inherit others.
//!
//! A mistake of the programmer is refused by a panic, where it is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::types::Type;

/// A function: its results, or the text of its error.
pub type Function = Arc<dyn Fn(Vec<Value>) -> Result<Vec<Value>, String> + Send + Sync>;

/// A function with its types.
#[derive(Clone)]
pub struct Service {
    pub params: Vec<Type>,
    pub results: Vec<Type>,
    pub function: Function,
}

/// A manifest and services.
pub struct Namespace {
    pub manifest: Value,
    pub services: BTreeMap<String, Service>,
}

/// Namespaces by name; what is not defined here is looked up in the parent.
#[derive(Default)]
pub struct Registry {
    parent: Option<Box<Registry>>,
    namespaces: BTreeMap<String, Namespace>,
}

impl Registry {
    /// A registry that inherits another one.
    pub fn inherit(parent: Registry) -> Registry {
        Registry { parent: Some(Box::new(parent)), namespaces: BTreeMap::new() }
    }

    /// Define a namespace.
    pub fn define(&mut self, namespace: &str, manifest: impl Serialize) {
        assert!(!self.namespaces.contains_key(namespace), "the namespace {namespace:?} is defined already");
        let manifest = serde_json::to_value(manifest)
            .unwrap_or_else(|error| panic!("JSON cannot carry the manifest of {namespace:?}: {error}"));
        self.namespaces.insert(namespace.to_string(), Namespace { manifest, services: BTreeMap::new() });
    }

    /// Add a service to a namespace of this registry.
    pub fn add(&mut self, namespace: &str, name: &str, service: Service) {
        let elsewhere = self.find(namespace).is_some();
        let Some(found) = self.namespaces.get_mut(namespace) else {
            let only = if elsewhere { " in this registry, only in its parent" } else { "" };
            panic!("undefined namespace {namespace:?}{only}");
        };
        assert!(!found.services.contains_key(name), "the namespace {namespace:?} has a service {name:?} already");
        found.services.insert(name.to_string(), service);
    }

    /// The namespace, here or in a parent.
    pub fn find(&self, namespace: &str) -> Option<&Namespace> {
        let parent = || self.parent.as_ref().and_then(|parent| parent.find(namespace));
        self.namespaces.get(namespace).or_else(parent)
    }
}

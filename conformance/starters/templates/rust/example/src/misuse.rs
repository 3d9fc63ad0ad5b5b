//! Mistakes of the programmer that the implementation in `protocol` refuses.
//!
//! The compiler rules the others out: a consumer or service is always a function with known types.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::registry::{Registry, Service};

/// A registry with a namespace, and a parent with another.
fn registry() -> Registry {
    let mut parent = Registry::default();
    parent.define("parent", ());
    let mut child = Registry::inherit(parent);
    child.define("n", ());
    child
}

fn service() -> Service {
    Service { params: vec![], results: vec![], function: Arc::new(|_| Ok(vec![])) }
}

/// Each kind, with the function that makes the mistake.
pub fn kinds() -> Vec<(&'static str, fn())> {
    vec![
        ("add-undefined-namespace", || registry().add("other", "s", service())),
        ("add-parent-namespace", || registry().add("parent", "s", service())),
        ("add-duplicate-service", || {
            let mut made = registry();
            made.add("n", "s", service());
            made.add("n", "s", service());
        }),
        ("define-duplicate-namespace", || registry().define("n", ())),
        ("define-unmarshalable-manifest", || registry().define("other", HashMap::from([((1, 2), 3)]))),
    ]
}

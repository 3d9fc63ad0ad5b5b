//! The plugin side of your implementation.

use crate::contract::control::PluginSide;

// YOUR IMPLEMENTATION: declare what it can do, and call it in the methods of `PluginSide` (contract/control.rs) that
// you write here. Values are in their JSON form. What is left out is unsupported.

pub const SCHEMES: &[&str] = &[]; // of URLs that it opens: "file", "unix", ...
pub const TYPES: &[&str] = &[]; // that stand in a signature: "any", "bool", "string", "int64", "bytes", "point", ...
pub const FEATURES: &[&str] = &[]; // "concurrent", "single-url", "fallback", "control-fd", "prototypes"

/// A plugin that was started with these URLs.
pub struct Plugin {
    _urls: Vec<String>,
}

impl Plugin {
    pub fn new(urls: Vec<String>) -> Self {
        Plugin { _urls: urls }
    }
}

impl PluginSide for Plugin {}

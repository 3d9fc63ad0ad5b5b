//! The host side of your implementation.

// YOUR IMPLEMENTATION: declare what it can do, and write `run` with it.
// `contract::services` has the registry: parent() and child(TYPES) are namespaces with manifests and functions.

pub const BINDS: &[&str] = &[]; // the ways to offer a connection, the default first: "devfd", "unix", ...
pub const TYPES: &[&str] = &[]; // that stand in a signature; the registry has an echo_T for each
pub const FEATURES: &[&str] = &[]; // "concurrent"

/// Run a plugin: discover the executable `plugin` by its `info`, bind the registry over `bind` (or the default), execute
/// its command of type `conformance-plugin` with `args`, and wait for it. It is an error, in one line, unless the plugin
/// exited 0 and the connection ended without a protocol error.
pub fn run(_bind: Option<&str>, _plugin: &str, _args: &[String]) -> Result<(), String> {
    Err("this testee has no host side yet".to_string())
}

//! Mistakes of the programmer that your implementation refuses.

/// Each kind that it can commit. The function makes the mistake, and the implementation panics with a text that names
/// what is wrong. Leave out what the compiler rules out.
pub fn kinds() -> Vec<(&'static str, fn())> {
    // YOUR IMPLEMENTATION: vec![("add-duplicate-service", || { ... }), ...]
    vec![]
}

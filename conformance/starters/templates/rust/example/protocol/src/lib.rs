//! A small implementation of the protocol between hosts and plugins, both sides.

pub mod client;
pub mod execution;
pub mod messages;
pub mod offers;
pub mod registry;
pub mod scanner;
pub mod server;
pub mod streams;
pub mod types;

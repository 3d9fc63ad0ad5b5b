//! The testee contract: everything here is finished, and needs no change.

pub mod control;
pub mod services;

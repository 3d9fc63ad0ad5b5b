//! The testee: the program that the conformance suite starts. It needs no change; see README.md.

mod contract;
mod host;
mod misuse;
mod plugin;

use std::io::Write;
use std::process::ExitCode;

use serde_json::{json, Value};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    match words.split_first() {
        Some((command, [])) if command == "info" => info(),
        Some((command, rest)) if command == "conformance-plugin" => contract::control::run(rest),
        Some((command, rest)) if command == "conformance-host" && !rest.is_empty() => run_host(rest),
        Some((command, [kind])) if command == "conformance-panic" => run_misuse(kind),
        _ => {
            eprintln!("usage: testee info | conformance-plugin | conformance-host | conformance-panic [ARGUMENT...]");
            ExitCode::from(2)
        }
    }
}

/// Say what the testee can do, as the three sides declare it.
fn info() -> ExitCode {
    let command = |kind: &str, mut data: Value| {
        data["contract"] = json!(1);
        json!({"path": [kind], "type": kind, "data": data})
    };
    let kinds: Vec<&str> = misuse::kinds().iter().map(|(kind, _)| *kind).collect();
    let plugin = json!({"schemes": plugin::SCHEMES, "types": plugin::TYPES, "features": plugin::FEATURES});
    let host = json!({"binds": host::BINDS, "types": host::TYPES, "features": host::FEATURES});
    let manifest = json!({
        "manifestVersion": 1,
        "name": "@NAME@",
        "version": "0.1.0",
        "author": "",
        "description": "A testee of the conformance suite.",
        "tags": [],
        "commands": [
            command("conformance-plugin", plugin),
            command("conformance-host", host),
            command("conformance-panic", json!({"kinds": kinds})),
        ],
    });
    println!("{manifest}");
    ExitCode::SUCCESS
}

/// The host side: run a plugin with the registry of the contract.
fn run_host(words: &[String]) -> ExitCode {
    let (bind, words) = match words {
        [flag, bind, rest @ ..] if flag == "--bind" => (Some(bind.as_str()), rest),
        all => (None, all),
    };
    let outcome = match words.split_first() {
        Some((plugin, args)) => host::run(bind, plugin, args),
        None => Err("no plugin is named".to_string()),
    };
    let status = if let Err(problem) = &outcome {
        eprintln!("{}", problem.split_whitespace().collect::<Vec<_>>().join(" "));
        1
    } else {
        0
    };
    std::process::exit(status) // services that still run are not waited for
}

/// Commit one misuse. An implementation that refuses it panics, and the process ends with status 101.
fn run_misuse(kind: &str) -> ExitCode {
    match misuse::kinds().into_iter().find(|(name, _)| *name == kind) {
        Some((_, commit)) => {
            commit();
            println!("survived");
        }
        None => println!("unsupported: the misuse {kind:?}"),
    }
    let _ = std::io::stdout().flush();
    ExitCode::SUCCESS
}

//! The extension module `firstbyte._firstbyte`: everything of the Python package that is not Python.
//!
//! One file per topic, and no logic that belongs in a library crate. `firstbyte/_firstbyte.pyi` is its
//! documentation for Python; the package beside it is what users import.

mod admin;
mod asgi;
mod cli;
mod client;
mod convert;
mod fuse;
mod httpx;
mod lifecycle;
mod logger;
mod open;
mod process;
mod read;
mod record;
mod replaced;
mod routes;
#[cfg(unix)]
mod socket;

/// The members of `firstbyte._firstbyte`.
///
/// A free-threaded interpreter takes its lock back for it: who holds that lock is what keeps a fork from finding
/// `process`'s state locked, and what counts are kept by.
#[pyo3::pymodule(gil_used = true)]
mod _firstbyte {
    #[pymodule_export]
    use crate::{
        admin::{
            Mailbox, NativeClient, NativeFleet, NativeResponse, PendingCall, Question,
            forget_targets,
        },
        asgi::{Leaving, Middleware, ServerCall, ServerSend},
        cli::main,
        client::ClientCall,
        fuse::Fuse,
        httpx::{HttpxMethod, HttpxWatch},
        lifecycle::{accounting, after_fork_in_child, shutdown},
        logger::LoggingFeed,
        process::{checkpoint, configure, flush, generation, now_ns, prepare},
        read::{NativeLog, Table},
        record::{RpcTimer, new_trace_id, record},
        replaced::Replaced,
        routes::find_route,
    };

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "its name in Python")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}

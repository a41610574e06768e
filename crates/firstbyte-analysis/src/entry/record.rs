//! What the records are to the reader.

use firstbyte_core::{record, schema::Record};

/// Whose line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A client's line on a call.
    Client,
    /// A server's line on a call.
    Server,
    /// The engine's line on a call.
    Engine,
    /// A process says which it is.
    Process,
    /// Anything beside the calls.
    Beside,
}

impl Kind {
    pub(crate) fn of(record: &'static Record) -> Self {
        let is = |which: &[&'static Record]| which.iter().any(|known| std::ptr::eq(*known, record));
        if is(&[
            &record::CLIENT_SEND,
            &record::CLIENT_DONE,
            &record::CLIENT_FAIL,
            &record::CLIENT_WAITING,
        ]) {
            Self::Client
        } else if is(&[
            &record::SERVER_RECV,
            &record::RPC_START,
            &record::RPC_DONE,
            &record::SERVER_FIRST_BYTE,
            &record::SERVER_DONE,
        ]) {
            Self::Server
        } else if is(&[&record::ENGINE_DONE]) {
            Self::Engine
        } else if is(&[&record::PROCESS_START]) {
            Self::Process
        } else {
            Self::Beside
        }
    }
}

//! The admin client of `firstbyte-client`, off the interpreter lock and off the event loop.

mod client;
mod error;
mod fleet;
mod mailbox;
mod options;
mod question;
mod response;
mod runtime;

pub(crate) use self::{
    client::{NativeClient, PendingCall},
    fleet::NativeFleet,
    mailbox::Mailbox,
    question::Question,
    response::NativeResponse,
    runtime::{forget as forget_runtime, forget_targets, stop as stop_runtime},
};

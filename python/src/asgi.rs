//! The ASGI middleware's hot paths. What is awaited is Python's: `firstbyte/_asgi.py`.

mod call;
mod inflight;
mod middleware;
mod scope;
mod send;

pub(crate) use self::{
    call::ServerCall, inflight::Leaving, middleware::Middleware, scope::invalid_ids,
    send::ServerSend,
};

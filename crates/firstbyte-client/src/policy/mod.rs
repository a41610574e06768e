//! What the admin client may do on its own: wait how long, send again when, overlap what.

mod class;
mod overlap;
mod retry;
mod timeouts;

pub use self::{
    class::OperationClass, overlap::SingleFlight, retry::RetryPolicy, timeouts::Timeouts,
};
pub(crate) use self::{
    overlap::{Flight, Overlapping, Refusal},
    timeouts::{LONGEST, PEER_DEAD},
};

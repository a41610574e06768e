//! How harmful a second time would be.

/// What sending an operation twice would do; chosen by the caller.
///
/// A call that was not sent at all is repeated whatever its class. The class decides what happens
/// when at least one request byte was accepted and no whole answer came back.
///
/// ```
/// use firstbyte_client::OperationClass;
///
/// assert_eq!(OperationClass::of_method("GET"), OperationClass::Idempotent);
/// assert_eq!(OperationClass::of_method("POST"), OperationClass::NonIdempotent);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OperationClass {
    /// Twice is as good as once. May be sent again. The default of GET, HEAD and OPTIONS.
    Idempotent,
    /// A probe can tell whether it happened; see [`AdminRequest::probe`](crate::AdminRequest::probe).
    /// Sent again only when the probe says that it did not.
    Convergent,
    /// Twice may do harm. Never sent again. The default of everything else.
    NonIdempotent,
}

impl OperationClass {
    /// The default for an HTTP method in capitals.
    #[must_use]
    pub fn of_method(method: &str) -> Self {
        match method {
            "GET" | "HEAD" | "OPTIONS" => Self::Idempotent,
            _ => Self::NonIdempotent,
        }
    }
}

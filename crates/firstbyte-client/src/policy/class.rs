//! How harmful a second time would be.

use firstbyte_core::Route;

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
    /// Twice is as good as once. May be sent again, and may begin while another operation is in flight or
    /// its outcome unknown. The default of GET, HEAD and OPTIONS, but of routes that change the server's
    /// state all the same ([`Route::acts`]).
    Idempotent,
    /// A probe can tell whether it happened; see [`AdminRequest::probe`](crate::AdminRequest::probe).
    /// Sent again only when the probe says that it did not.
    Convergent,
    /// Twice may do harm. Never sent again. The default of everything else.
    NonIdempotent,
}

impl OperationClass {
    /// The default for an HTTP method in capitals, where nothing else is known of the request.
    #[must_use]
    pub fn of_method(method: &str) -> Self {
        match method {
            "GET" | "HEAD" | "OPTIONS" => Self::Idempotent,
            _ => Self::NonIdempotent,
        }
    }

    /// The default for a request.
    pub(crate) fn of(method: &str, route: Option<&Route>) -> Self {
        if route.is_some_and(|route| route.acts) {
            Self::NonIdempotent
        } else {
            Self::of_method(method)
        }
    }
}

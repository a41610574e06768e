//! The one error of this crate.

mod reason;

use std::{error::Error, fmt, sync::Arc};

use firstbyte_core::{Phase, TraceId};
use http::StatusCode;

pub(crate) use self::reason::{Failure, Reason};

/// Why a call did not bring a whole, successful answer.
///
/// The question that matters is whether the operation may have happened on the server:
///
/// | predicate | did it happen? | send it again? |
/// | --- | --- | --- |
/// | [`is_not_sent`](Self::is_not_sent) | no | yes |
/// | [`is_overlap`](Self::is_overlap), [`is_config`](Self::is_config) | no, it was refused here | after a change |
/// | [`is_status`](Self::is_status) | the server says what | that depends |
/// | [`is_outcome_unknown`](Self::is_outcome_unknown) | nobody knows | only if twice does no harm |
///
/// Neither its text nor its `Debug` form contains credentials or query values. Cloning is cheap.
///
/// ```
/// use firstbyte_client::AdminClient;
/// use firstbyte_core::Recorder;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), firstbyte_client::ClientError> {
/// # let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
/// let client = AdminClient::builder(Recorder::disabled())
///     .base_url(format!("http://127.0.0.1:{port}")) // nobody listens there
///     .build()?;
/// let error = client.post("/update_weights?token=secret").send().await.unwrap_err();
/// assert!(error.is_not_sent());
/// assert_eq!(error.reason(), "connect_refused");
/// assert_eq!(error.bytes_sent(), 0);
/// assert!(!format!("{error} {error:?}").contains("secret"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ClientError(Arc<Inner>);

struct Inner {
    kind: Kind,
    /// Method and redacted URL, or what else it is about.
    subject: String,
    trace_id: Option<TraceId>,
    phase: Option<Phase>,
    bytes_sent: u64,
    status: Option<StatusCode>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Config,
    Overlap,
    NotSent(Reason),
    OutcomeUnknown(Reason),
    BodyTooLarge,
    Status,
    Decode,
}

/// The attempt that an error happened in.
pub(crate) struct Place {
    pub(crate) subject: String,
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) phase: Phase,
    pub(crate) bytes_sent: u64,
    pub(crate) status: Option<StatusCode>,
}

impl ClientError {
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(Kind::Config, message.into())
    }

    pub(crate) fn overlap(message: String, trace_id: Option<TraceId>) -> Self {
        Self(Arc::new(Inner { trace_id, ..Inner::new(Kind::Overlap, message) }))
    }

    pub(crate) fn decode(subject: String, source: serde_json::Error) -> Self {
        Self(Arc::new(Inner { source: Some(source.into()), ..Inner::new(Kind::Decode, subject) }))
    }

    pub(crate) fn status_of(subject: String, trace_id: TraceId, status: StatusCode) -> Self {
        let inner = Inner::new(Kind::Status, subject);
        Self(Arc::new(Inner { trace_id: Some(trace_id), status: Some(status), ..inner }))
    }

    pub(crate) fn failed(place: Place, failure: Failure) -> Self {
        let kind = match failure.reason {
            Reason::BodyTooLarge => Kind::BodyTooLarge,
            reason if place.bytes_sent == 0 => Kind::NotSent(reason),
            reason => Kind::OutcomeUnknown(reason),
        };
        Self(Arc::new(Inner {
            kind,
            subject: place.subject,
            trace_id: place.trace_id,
            phase: Some(place.phase),
            bytes_sent: place.bytes_sent,
            status: place.status,
            source: failure.source,
        }))
    }

    fn new(kind: Kind, subject: String) -> Self {
        Self(Arc::new(Inner::new(kind, subject)))
    }

    /// Finds an error of this crate inside one of another, such as the [`reqwest::Error`] of a body
    /// or a [`reqwest_middleware::Error`].
    #[must_use]
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        std::iter::successors(Some(error), |error| (*error).source()).find_map(|error| {
            error.downcast_ref::<Self>().or_else(|| match error.downcast_ref()? {
                reqwest_middleware::Error::Middleware(error) => error.downcast_ref::<Self>(),
                reqwest_middleware::Error::Reqwest(_) => None,
            })
        })
    }

    /// A setting or an argument cannot work; nothing was sent. The message says what to change.
    #[must_use]
    pub fn is_config(&self) -> bool {
        self.0.kind == Kind::Config
    }

    /// It was refused because another operation on the same target is in flight, or has ended with
    /// an unknown outcome; nothing was sent. See
    /// [`AdminRequest::allow_overlap`](crate::AdminRequest::allow_overlap).
    #[must_use]
    pub fn is_overlap(&self) -> bool {
        self.0.kind == Kind::Overlap
    }

    /// No byte of the request was accepted on its connection: the server cannot have acted on it.
    #[must_use]
    pub fn is_not_sent(&self) -> bool {
        matches!(self.0.kind, Kind::NotSent(_))
    }

    /// Request bytes were accepted and no whole answer came back: the operation may or may not
    /// have happened, or may still happen.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self.0.kind, Kind::OutcomeUnknown(_))
    }

    /// The response body is larger than the limit, was cut off, or is not what was asked for.
    #[must_use]
    pub fn is_body(&self) -> bool {
        let truncated = Kind::OutcomeUnknown(Reason::BodyTruncated);
        matches!(self.0.kind, Kind::BodyTooLarge | Kind::Decode) || self.0.kind == truncated
    }

    /// The status of a whole response is not 2xx.
    #[must_use]
    pub fn is_status(&self) -> bool {
        self.0.kind == Kind::Status
    }

    /// One of the clocks of [`Timeouts`](crate::Timeouts) ran out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        let (Kind::NotSent(reason) | Kind::OutcomeUnknown(reason)) = self.0.kind else {
            return false;
        };
        matches!(
            reason,
            Reason::ConnectTimeout | Reason::SendTimeout | Reason::TotalTimeout | Reason::PeerDead
        )
    }

    /// The phase that it happened in, if a call had begun.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        self.0.phase
    }

    /// How many bytes of the request, head and body, the transport had accepted.
    #[must_use]
    pub fn bytes_sent(&self) -> u64 {
        self.0.bytes_sent
    }

    /// The id of the call, if it had one.
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        self.0.trace_id
    }

    /// The status, if a response head had arrived.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// The cause as one word, as `error=` of a `client.fail` line has it: `connect_refused`,
    /// `connect_timeout`, `dns`, `unreachable`, `local` (out of file descriptors, forbidden by a
    /// firewall of this host), `certificate`, `tls`, `send_timeout`, `total_timeout`, `peer_dead`,
    /// `reset`, `closed`, `protocol`, `head_too_large`, `request`, `request_body`, `body_truncated`,
    /// `body_too_large`, `middleware`; `config`, `overlap`, `status` and `decode`
    /// are on no line.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self.0.kind {
            Kind::Config => "config",
            Kind::Overlap => "overlap",
            Kind::NotSent(reason) | Kind::OutcomeUnknown(reason) => reason.as_str(),
            Kind::BodyTooLarge => Reason::BodyTooLarge.as_str(),
            Kind::Status => "status",
            Kind::Decode => "decode",
        }
    }

    /// What the system or a library said, for a line. Nothing of code that is the caller's: its words may hold
    /// anything.
    pub(crate) fn cause(&self) -> Option<String> {
        let (Kind::NotSent(reason) | Kind::OutcomeUnknown(reason)) = self.0.kind else {
            return None;
        };
        let said = std::iter::successors(self.source(), |cause| (*cause).source()).last()?;
        reason.is_ours().then(|| said.to_string())
    }

    /// Whether trying once more could help at all.
    pub(crate) fn is_transient(&self) -> bool {
        match self.0.kind {
            Kind::NotSent(reason) | Kind::OutcomeUnknown(reason) => reason.is_transient(),
            _ => false,
        }
    }
}

impl Inner {
    fn new(kind: Kind, subject: String) -> Self {
        Self {
            kind,
            subject,
            trace_id: None,
            phase: None,
            bytes_sent: 0,
            status: None,
            source: None,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, subject, bytes_sent, .. } = &*self.0;
        match kind {
            Kind::Config | Kind::Overlap => return f.write_str(subject),
            Kind::NotSent(reason) => write!(f, "{subject} was not sent: {}", reason.sentence())?,
            Kind::OutcomeUnknown(reason) => write!(
                f,
                "the outcome of {subject} is unknown: {} after {bytes_sent} request bytes were sent",
                reason.sentence()
            )?,
            Kind::BodyTooLarge => {
                write!(f, "the response of {subject} is larger than the limit for bodies")?;
            }
            Kind::Status => write!(f, "{subject} was answered")?,
            Kind::Decode => {
                write!(f, "the response of {subject} is not the JSON that was asked for")?;
            }
        }
        let status = self.0.status.map(|status| format!(" status {status}")).unwrap_or_default();
        if *kind == Kind::Status {
            write!(f, " with{status}")?;
        }
        if let Some(phase) = self.0.phase {
            write!(f, ", in phase {phase}")?;
        }
        if let Some(id) = self.0.trace_id {
            write!(f, ", trace {id}")?;
        }
        if *kind != Kind::Status && !status.is_empty() {
            write!(f, "; the answer had{status}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientError")
            .field("reason", &self.reason())
            .field("message", &format_args!("{self}"))
            .field("source", &self.0.source)
            .finish()
    }
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

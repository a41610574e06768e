//! The causes of failures, found in the errors of the layers below.

use std::{error::Error, io};

/// A cause, and the error that told it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    pub(crate) source: Option<Box<dyn Error + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Dns,
    ConnectRefused,
    ConnectTimeout,
    Unreachable,
    Local,
    Certificate,
    Tls,
    SendTimeout,
    TotalTimeout,
    PeerDead,
    Reset,
    Closed,
    Protocol,
    HeadTooLarge,
    Request,
    RequestBody,
    BodyTruncated,
    BodyTooLarge,
    Middleware,
}

impl Failure {
    pub(crate) fn of_io(error: io::Error) -> Self {
        Self { reason: Reason::of_io(&error), source: Some(error.into()) }
    }

    pub(crate) fn of_hyper(error: hyper::Error) -> Self {
        Self { reason: Reason::of_hyper(&error), source: Some(error.into()) }
    }

    /// An error while the response body was read.
    pub(crate) fn of_body(error: hyper::Error) -> Self {
        let mut failure = Self::of_hyper(error);
        if failure.reason == Reason::Closed {
            failure.reason = Reason::BodyTruncated;
        }
        failure
    }
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self { reason, source: None }
    }
}

impl Reason {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::ConnectRefused => "connect_refused",
            Self::ConnectTimeout => "connect_timeout",
            Self::Unreachable => "unreachable",
            Self::Local => "local",
            Self::Certificate => "certificate",
            Self::Tls => "tls",
            Self::SendTimeout => "send_timeout",
            Self::TotalTimeout => "total_timeout",
            Self::PeerDead => "peer_dead",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
            Self::HeadTooLarge => "head_too_large",
            Self::Request => "request",
            Self::RequestBody => "request_body",
            Self::BodyTruncated => "body_truncated",
            Self::BodyTooLarge => "body_too_large",
            Self::Middleware => "middleware",
        }
    }

    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Dns => "the host name could not be resolved",
            Self::ConnectRefused => "the connection was refused",
            Self::ConnectTimeout => "no connection within the connect time-out",
            Self::Unreachable => "the host could not be reached",
            Self::Local => "the system of this host refused or lacked something",
            Self::Certificate => "the server's certificate was not accepted",
            Self::Tls => "the TLS session failed",
            Self::SendTimeout => "the request was not accepted within the send time-out",
            Self::TotalTimeout => "the total time-out ran out",
            Self::PeerDead => "the peer no longer answers on the TCP level",
            Self::Reset => "the connection was reset",
            Self::Closed => "the connection was closed",
            Self::Protocol => "the answer is not HTTP/1.1",
            Self::HeadTooLarge => "the head of the answer has too many or too large headers",
            Self::Request => "HTTP/1.1 cannot carry such a request",
            Self::RequestBody => "the request body failed",
            Self::BodyTruncated => "the response was cut off",
            Self::BodyTooLarge => "the response is too large",
            Self::Middleware => "a middleware failed",
        }
    }

    /// Whether the same call could end otherwise a moment later.
    pub(crate) const fn is_transient(self) -> bool {
        !matches!(
            self,
            Self::Certificate
                | Self::Protocol
                | Self::HeadTooLarge
                | Self::Request
                | Self::RequestBody
                | Self::TotalTimeout
                | Self::Middleware
        )
    }

    /// Whether it was not code of the caller's that failed.
    pub(crate) const fn is_ours(self) -> bool {
        !matches!(self, Self::RequestBody | Self::Middleware)
    }

    fn of_io(error: &io::Error) -> Self {
        if let Some(tls) = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
            return Self::of_tls(tls);
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::ConnectRefused,
            // ETIMEDOUT: keep-alive probes or TCP_USER_TIMEOUT; of a connect, the SYNs.
            io::ErrorKind::TimedOut => Self::PeerDead,
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable => Self::Unreachable,
            io::ErrorKind::UnexpectedEof => Self::Closed,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
            | io::ErrorKind::BrokenPipe => Self::Reset,
            // hyper's word for a body whose chunks are none.
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Self::Protocol,
            // A firewall of this host, ...
            io::ErrorKind::PermissionDenied
            | io::ErrorKind::OutOfMemory
            | io::ErrorKind::AddrInUse => Self::Local,
            _ => Self::of_errno(error).unwrap_or(Self::Reset),
        }
    }

    /// Of what has no kind.
    #[cfg(unix)]
    fn of_errno(error: &io::Error) -> Option<Self> {
        match error.raw_os_error()? {
            // No file descriptors or buffers left, no IPv6, ...
            libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::EAFNOSUPPORT => Some(Self::Local),
            libc::EHOSTDOWN => Some(Self::Unreachable),
            _ => None,
        }
    }

    #[cfg(not(unix))]
    fn of_errno(_: &io::Error) -> Option<Self> {
        None
    }

    fn of_tls(error: &rustls::Error) -> Self {
        use rustls::AlertDescription as Alert;
        match error {
            rustls::Error::InvalidCertificate(_)
            | rustls::Error::NoCertificatesPresented
            | rustls::Error::AlertReceived(
                Alert::BadCertificate
                | Alert::CertificateExpired
                | Alert::CertificateRequired
                | Alert::CertificateRevoked
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::UnsupportedCertificate,
            ) => Self::Certificate,
            _ => Self::Tls,
        }
    }

    fn of_hyper(error: &hyper::Error) -> Self {
        let mut causes = std::iter::successors(error.source(), |error| (*error).source());
        if error.is_user() {
            // First: it may have failed by an error of a file or socket of its own.
            Self::RequestBody
        } else if let Some(io) = causes.find_map(|error| error.downcast_ref::<io::Error>()) {
            Self::of_io(io)
        } else if error.is_parse_too_large() {
            Self::HeadTooLarge
        } else if error.is_parse() {
            Self::Protocol
        } else {
            Self::Closed
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_what_this_host_refused_or_lacks_is_local() {
        let of = |code| Reason::of_io(&io::Error::from_raw_os_error(code));
        for code in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::EAFNOSUPPORT] {
            assert_eq!(of(code), Reason::Local, "{code}");
        }
        for code in [libc::EPERM, libc::EACCES, libc::ENOMEM, libc::EADDRINUSE] {
            assert_eq!(of(code), Reason::Local, "{code}");
        }
        for code in [libc::EHOSTDOWN, libc::EHOSTUNREACH, libc::ENETUNREACH, libc::ENETDOWN] {
            assert_eq!(of(code), Reason::Unreachable, "{code}");
        }
        assert_eq!(of(libc::EPROTO), Reason::Reset);
        assert_eq!(Reason::of_io(&io::Error::other("of the peer")), Reason::Reset);
    }
}

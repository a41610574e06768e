//! A reqwest request as hyper wants it: origin form, `host`, one body that says when it ended.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderValue, Method, header, uri::PathAndQuery};
use http_body::{Body, Frame, SizeHint};
use reqwest::{Request, Url};

use crate::{
    error::{Failure, Reason},
    label,
    progress::Progress,
};

/// What goes over the wire, and where to.
pub(super) struct Outgoing {
    pub(super) request: http::Request<RequestBody>,
    pub(super) url: Url,
    pub(super) origin: Origin,
}

/// Scheme, host and port: what a connection can be used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    https: bool,
    pub(super) host: url::Host<String>,
    pub(super) port: u16,
}

impl Outgoing {
    pub(super) fn new(
        mut request: Request,
        one_shot: bool,
        progress: &Arc<Progress>,
    ) -> Result<Self, Failure> {
        let origin = Origin::of(request.url())?;
        let body = RequestBody::new(request.body_mut().take().unwrap_or_default(), progress);
        let mut outgoing = http::Request::new(body);
        let url = request.url();
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let path = PathAndQuery::try_from(path).map_err(|_| Reason::Request)?;
        *outgoing.uri_mut() = path.into();
        *outgoing.method_mut() = request.method().clone();
        *outgoing.headers_mut() = std::mem::take(request.headers_mut());
        let url = request.url().clone();
        let empty = outgoing.body().is_end_stream();
        let posts = [Method::POST, Method::PUT, Method::PATCH].contains(outgoing.method());
        let headers = outgoing.headers_mut();
        if !headers.contains_key(header::HOST) {
            let host = HeaderValue::try_from(origin.authority(&url));
            headers.insert(header::HOST, host.map_err(|_| Reason::Request)?);
        }
        if !headers.contains_key(header::ACCEPT) {
            headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        }
        if empty && posts && !headers.contains_key(header::TRANSFER_ENCODING) {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if one_shot {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(Self { request: outgoing, url, origin })
    }
}

impl Origin {
    fn of(url: &Url) -> Result<Self, Failure> {
        let https = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(Reason::Request.into()),
        };
        let host = url.host().ok_or(Reason::Request)?.to_owned();
        let port = url.port_or_known_default().ok_or(Reason::Request)?;
        Ok(Self { https, host, port })
    }

    pub(super) const fn is_https(&self) -> bool {
        self.https
    }

    /// The `host` header: the port only where it is not the scheme's own.
    fn authority(&self, url: &Url) -> String {
        match url.port() {
            Some(_) => label::target(url),
            None => self.host.to_string(),
        }
    }
}

/// Tells the attempt when its last piece was taken.
#[derive(Debug)]
pub(super) struct RequestBody {
    body: reqwest::Body,
    progress: Arc<Progress>,
}

impl RequestBody {
    fn new(body: reqwest::Body, progress: &Arc<Progress>) -> Self {
        let body = Self { body, progress: Arc::clone(progress) };
        if body.is_end_stream() {
            body.progress.body_taken();
        }
        body
    }
}

impl Drop for RequestBody {
    /// hyper does not ask for a body that is empty, nor for a GET's of an unknown length.
    fn drop(&mut self) {
        self.progress.body_taken();
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.progress.body_taken();
        }
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

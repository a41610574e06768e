//! What the events of an attempt say of its request.

use std::{ops::Range, sync::Arc};

use firstbyte_core::{Event, Route, Tag, TraceId, redact_url};
use url::{Position, Url};

/// What the events of an attempt are labelled with.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) method: reqwest::Method,
    /// The URL without credentials and query values, and the target behind it where it is no part of it.
    text: String,
    url_end: usize,
    target: Range<usize>,
    pub(crate) operation: Option<Arc<str>>,
    pub(crate) tag: Tag,
    pub(crate) attempt: u32,
}

impl Label {
    pub(crate) fn new(method: &reqwest::Method, url: &Url) -> Self {
        let mut text = redact_url(url.as_str());
        let url_end = text.len();
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let start = url[..Position::BeforeHost].len();
        let in_url = start..start + host.len();
        let target = if url.port().is_some() && text.get(in_url.clone()) == Some(host) {
            in_url
        } else {
            text.push_str(&target(url));
            url_end..text.len()
        };
        Self {
            trace_id: None,
            method: method.clone(),
            text,
            url_end,
            target,
            operation: None,
            tag: Tag::Admin,
            attempt: 1,
        }
    }

    /// The target is one of several behind a host and port: the beginning of its paths is part of it.
    pub(crate) fn behind(mut self, prefix: &str) -> Self {
        if self.target.start >= self.url_end {
            self.text.push_str(prefix);
            self.target.end = self.text.len();
        } else if self.text[self.target.end..].starts_with(prefix) {
            self.target.end += prefix.len();
        }
        self
    }

    /// Operation and tag of a control route; calls without one are filed under `admin`.
    pub(crate) fn routed(mut self, route: Option<&Route>) -> Self {
        if let Some(route) = route {
            self.operation = Some(route.operation.clone());
            self.tag = route.tag;
        }
        self
    }

    /// Puts tag and trace id on an event.
    pub(crate) fn mark(&self, event: Event) -> Event {
        let event = event.tag(self.tag);
        match self.trace_id {
            Some(id) => event.trace_id(id),
            None => event,
        }
    }

    /// The URL, without credentials and query values.
    pub(crate) fn url(&self) -> &str {
        &self.text[..self.url_end]
    }

    /// Host and port, and the beginning of the paths where several servers share them.
    pub(crate) fn target(&self) -> &str {
        &self.text[self.target.clone()]
    }

    /// Method and URL, for messages.
    pub(crate) fn subject(&self) -> String {
        format!("{} {}", self.method, self.url())
    }
}

/// Host and port, the port also where the URL leaves it out.
pub(crate) fn target(url: &Url) -> String {
    firstbyte_core::target(Some(url.scheme()), &url[Position::BeforeHost..Position::AfterPort])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_names_url_and_target_without_secrets() {
        for (url, redacted, target) in [
            ("http://host:8000/pause", "http://host:8000/pause", "host:8000"),
            ("http://host/pause", "http://host/pause", "host:80"),
            ("https://host", "https://host/", "host:443"),
            ("http://[::1]:8000/a", "http://[::1]:8000/a", "[::1]:8000"),
            ("http://[::1]/a", "http://[::1]/a", "[::1]:80"),
            ("http://u:p@host:8000/a?token=x#y", "http://host:8000/a?token=***", "host:8000"),
            ("http://host:8000@other:9/a", "http://other:9/a", "other:9"),
            (
                "http://bücher.example:1/",
                "http://xn--bcher-kva.example:1/",
                "xn--bcher-kva.example:1",
            ),
        ] {
            let label = Label::new(&reqwest::Method::POST, &Url::parse(url).unwrap());
            assert_eq!((label.url(), label.target()), (redacted, target), "{url}");
        }
    }
}

//! The request as the arguments describe it.

use std::fs;

use firstbyte_client::{AdminClient, AdminRequest};
use firstbyte_core::redact_url;
use http::Method;
use url::{Position, Url};

use super::Args;
use crate::exit::Error;

/// What is sent, again and again.
#[derive(Debug)]
pub(super) struct Request {
    url: Url,
    method: Method,
    headers: Vec<(String, String)>,
    token: Option<String>,
    body: Option<Vec<u8>>,
}

impl Request {
    /// Reads files and the environment; sends nothing.
    pub(super) fn new(args: &Args) -> Result<Self, Error> {
        let no_url = |what| {
            let url = redact_url(&args.url);
            Error::usage(format!("{url:?} is {what}: expected http://HOST:PORT/PATH"))
        };
        let url = Url::parse(&args.url).ok().filter(Url::has_host);
        let url = url.ok_or_else(|| no_url("no URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(no_url("not http"));
        }
        let method = args
            .request
            .parse()
            .map_err(|_| Error::usage(format!("{:?} is no HTTP method", args.request)))?;
        let mut headers = args.headers.iter().map(|h| header(h)).collect::<Result<Vec<_>, _>>()?;
        let token = args.token_env.as_ref().map(|name| {
            std::env::var(name).map_err(|_| {
                Error::usage(format!("--token-env {name}: there is no such environment variable"))
            })
        });
        let token = token.transpose()?;
        let body = args.data.as_deref().map(body).transpose()?;
        if body.is_some()
            && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE))
        {
            headers.push((CONTENT_TYPE.into(), "application/json".into()));
        }
        Ok(Self { url, method, headers, token, body })
    }

    /// Scheme, credentials, host and port.
    pub(super) fn base_url(&self) -> &str {
        &self.url[..Position::BeforePath]
    }

    /// Method and URL, without secrets.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.method, redact_url(self.url.as_str()))
    }

    /// One call of it.
    pub(super) fn of(&self, client: &AdminClient) -> AdminRequest {
        let path = &self.url[Position::BeforePath..Position::AfterQuery];
        let mut request = client.request(self.method.clone(), path);
        for (name, value) in &self.headers {
            request = request.append_header(name, value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", &format!("Bearer {token}"));
        }
        // Whoever calls by hand decides by himself whether calls may overlap.
        request.body(self.body.clone().unwrap_or_default()).allow_overlap()
    }
}

const CONTENT_TYPE: &str = "content-type";

fn header(text: &str) -> Result<(String, String), Error> {
    let (name, value) = text
        .split_once(':')
        .filter(|(name, _)| !name.trim().is_empty())
        // The value may be a secret, so the message doesn't repeat it.
        .ok_or_else(|| Error::usage("a header has no name: expected -H 'Name: value'"))?;
    let (name, value) = (name.trim(), value.trim());
    if value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return Err(Error::usage(format!("the value of header {name:?} has a control character")));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn body(data: &str) -> Result<Vec<u8>, Error> {
    let bytes = match data.strip_prefix('@') {
        Some(path) => {
            fs::read(path).map_err(|e| Error::usage(format!("cannot read --data {path}: {e}")))?
        }
        None => data.as_bytes().to_vec(),
    };
    serde_json::from_slice::<serde_json::Value>(&bytes)
        .map_err(|e| Error::usage(format!("--data is no JSON: {e}")))?;
    Ok(bytes)
}

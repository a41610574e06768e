//! What is said on one connection, generated.

use std::fmt::Write as _;

use bytes::Bytes;
use firstbyte_testkit::ScriptedBody;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::SizeHint;
use proptest::{collection::vec, prelude::*, sample::select};

/// One connection: its exchanges, how the requests are sent, and how it ends.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) exchanges: Vec<(Request, Answer)>,
    pub(crate) delivery: Delivery,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// All requests with one write.
    Pipelined,
    /// All requests, a few bytes with each write.
    Torn,
    /// Each when the one before was answered, and a body that asks first when it may come.
    OneByOne,
}

/// How a connection ends; all but the last exchange are ordinary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client has no more requests.
    Idle,
    /// The request says `connection: close`.
    RequestCloses,
    /// The answer says so.
    AnswerCloses,
    /// The request is of HTTP/1.0.
    Http10,
    /// The connection becomes another protocol.
    Upgrade,
    /// The body of the request is not wanted.
    Unread,
    /// The request ends somewhere in the middle.
    RequestCut,
    /// The body of the answer fails. What was written before that may be lost with it.
    AnswerCut,
    /// The service fails, the same.
    Failure,
    /// The client leaves while the service works.
    LeavesBeforeHead,
    /// The client leaves in the middle of the answer.
    LeavesMidBody,
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: &'static str,
    path: &'static str,
    headers: Vec<&'static str>,
    body: RequestBody,
    pub(crate) expects: bool,
}

#[derive(Clone, Debug)]
enum RequestBody {
    None,
    Sized(usize),
    Chunked(Vec<usize>, bool),
}

/// What the service does.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// It reads the body of the request first.
    pub(crate) reads: bool,
    pub(crate) act: Act,
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    length: Length,
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Respond,
    Fail,
    Wait,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    /// Told by the size hint of the body.
    Hint,
    /// Told by a header.
    Header,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Data(usize),
    Pending,
    Trailers,
    Error,
    End,
}

const PIECE: usize = 16_384;
/// An answer that a client leaves has so many pieces: more than any kernel takes.
const PIECES: usize = 2_000;
/// After so many bytes it leaves: more than all answers before have.
pub(crate) const ENOUGH: usize = 500_000;

pub(crate) fn connections() -> impl Strategy<Value = Connection> {
    let end = prop_oneof![
        4 => Just(End::Idle),
        6 => select(vec![End::RequestCloses, End::AnswerCloses, End::Http10, End::Upgrade, End::Unread]),
        4 => select(vec![End::RequestCut, End::AnswerCut, End::Failure, End::LeavesBeforeHead]),
        1 => Just(End::LeavesMidBody),
    ];
    let delivery = select(vec![Delivery::Pipelined, Delivery::Torn, Delivery::OneByOne]);
    (vec((requests(), answers()), 1..7), delivery, end).prop_map(|(exchanges, delivery, end)| {
        let mut connection = Connection { exchanges, delivery, end };
        connection.bring_to_its_end();
        connection
    })
}

fn requests() -> impl Strategy<Value = Request> {
    let body = prop_oneof![
        2 => Just(RequestBody::None),
        4 => (0..300_usize).prop_map(RequestBody::Sized),
        4 => (vec(1..100_usize, 0..4), any::<bool>()).prop_map(|(c, t)| RequestBody::Chunked(c, t)),
    ];
    let method =
        prop_oneof![6 => Just("POST"), 2 => Just("GET"), 1 => Just("HEAD"), 1 => Just("PUT")];
    let path = select(vec!["/pause", "/update_weights?step=7", "/resume", "/v1/completions", "/"]);
    let header =
        select(vec!["te: trailers", "accept: */*", "x-trace-id: 00f067aa0ba902b7", "a: 1", "A: 2"]);
    (method, path, vec(header, 0..4), body, prop::bool::weighted(0.2)).prop_map(
        |(method, path, headers, body, expects)| Request { method, path, headers, body, expects },
    )
}

fn answers() -> impl Strategy<Value = Answer> {
    let step = prop_oneof![
        6 => (0..200_usize).prop_map(Step::Data),
        1 => Just(Step::Data(PIECE)),
        3 => Just(Step::Pending),
    ];
    let end = select(vec![None, Some(Step::Trailers), Some(Step::End)]);
    let steps =
        (vec(step, 0..5), end).prop_map(|(steps, end)| [steps, Vec::from_iter(end)].concat());
    let header = select(vec![
        ("content-type", "text/event-stream"),
        ("trailer", "etag"),
        ("set-cookie", "a=b"),
        ("set-cookie", "c=d"),
    ]);
    let status = prop_oneof![6 => Just(200), 4 => select(vec![201, 204, 304, 404, 500])];
    let length = select(vec![Length::Hint, Length::Header, Length::Unknown]);
    (status, vec(header, 0..4), length, steps).prop_map(|(status, headers, length, steps)| Answer {
        reads: true,
        act: Act::Respond,
        status,
        headers,
        length,
        steps,
    })
}

impl Connection {
    fn bring_to_its_end(&mut self) {
        let Some((request, answer)) = self.exchanges.last_mut() else { return };
        match self.end {
            End::Idle | End::RequestCut => {}
            End::RequestCloses => request.headers.push("connection: close"),
            End::AnswerCloses => answer.headers.push(("connection", "close")),
            End::Http10 => request.expects = false,
            End::Upgrade => {
                *request = Request { body: RequestBody::None, expects: false, ..request.clone() };
                request.method = "GET";
                request.headers.extend(["connection: upgrade", "upgrade: echo"]);
                *answer = Answer {
                    status: 101,
                    steps: Vec::new(),
                    length: Length::Hint,
                    ..answer.clone()
                };
                answer.headers = vec![("connection", "upgrade"), ("upgrade", "echo")];
            }
            End::Unread => {
                answer.reads = false;
                request.headers.push("connection: close");
                // What is left of a torn one comes before or after the connection is closed.
                self.delivery = Delivery::Pipelined;
            }
            End::AnswerCut => {
                request.method = "POST";
                request.expects = false;
                (answer.status, answer.length) = (200, Length::Unknown);
                answer.steps.retain(|step| matches!(step, Step::Data(_) | Step::Pending));
                answer.steps.push(Step::Error);
            }
            End::Failure => {
                request.expects = false;
                answer.act = Act::Fail;
            }
            End::LeavesBeforeHead => answer.act = Act::Wait,
            End::LeavesMidBody => {
                request.method = "POST";
                (answer.status, answer.length) = (200, Length::Unknown);
                answer.steps = vec![Step::Data(PIECE); PIECES];
            }
        }
    }

    /// The bytes of a request: its head and its body.
    pub(crate) fn wire(&self, number: usize) -> (Vec<u8>, Vec<u8>) {
        let is_last = number + 1 == self.exchanges.len();
        let version = if is_last && self.end == End::Http10 { "1.0" } else { "1.1" };
        self.exchanges[number].0.wire(version)
    }
}

impl Request {
    fn wire(&self, version: &str) -> (Vec<u8>, Vec<u8>) {
        let mut head = format!("{} {} HTTP/{version}\r\nhost: x\r\n", self.method, self.path);
        let mut body = String::new();
        for header in &self.headers {
            _ = write!(head, "{header}\r\n");
        }
        match &self.body {
            RequestBody::None => {}
            RequestBody::Sized(length) => {
                _ = write!(head, "content-length: {length}\r\n");
                body = "s".repeat(*length);
            }
            RequestBody::Chunked(..) if version == "1.0" => {}
            RequestBody::Chunked(chunks, trailers) => {
                head += "transfer-encoding: chunked\r\n";
                for length in chunks {
                    _ = write!(body, "{length:x}\r\n{}\r\n", "c".repeat(*length));
                }
                body += if *trailers { "0\r\nx-sum: 1\r\n\r\n" } else { "0\r\n\r\n" };
            }
        }
        if self.expects {
            head += "expect: 100-continue\r\n";
        }
        ((head + "\r\n").into_bytes(), body.into_bytes())
    }

    /// Whether the service asks for the body before it comes.
    pub(crate) fn is_asked_for(&self) -> bool {
        let empty = match &self.body {
            RequestBody::None => true,
            RequestBody::Sized(length) => *length == 0,
            RequestBody::Chunked(..) => false,
        };
        self.expects && !empty
    }
}

impl Answer {
    pub(crate) fn is_upgrade(&self) -> bool {
        self.status == 101
    }

    pub(crate) fn response(&self) -> Response<ScriptedBody> {
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(*name, *value);
        }
        let length = |step: &Step| if let Step::Data(length) = step { *length } else { 0 };
        if self.length == Length::Header {
            response = response
                .header(header::CONTENT_LENGTH, self.steps.iter().map(length).sum::<usize>());
        }
        let body = self.steps.iter().fold(ScriptedBody::new(), |body, step| match step {
            Step::Data(length) => body.data(Bytes::from_static(&[b'd'; PIECE]).slice(..*length)),
            Step::Pending => body.pending(),
            Step::Trailers => {
                body.trailers(HeaderMap::from_iter([(header::ETAG, HeaderValue::from_static("x"))]))
            }
            Step::Error => body.error("broken"),
            Step::End => body.end(),
        });
        let hinted = self.length == Length::Hint;
        let body = if hinted { body } else { body.with_size_hint(SizeHint::default()) };
        response.body(body).unwrap()
    }
}

//! OpenAI-style completions whose tokens come at a steady rate, streamed or whole.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Mock;

/// The only model there is; requests may name any other and get its name back.
pub(super) const MODEL: &str = "firstbyte-mock";
const MAX_TOKENS: u32 = 1_000_000;
const TOKEN: &str = " tok";

#[derive(Debug, Deserialize)]
struct Request {
    model: Option<String>,
    prompt: Option<Value>,
    messages: Option<Vec<Value>>,
    #[serde(alias = "max_completion_tokens")]
    max_tokens: Option<u32>,
    #[serde(default)]
    stream: bool,
}

/// Which of the two APIs a request came by.
#[derive(Clone, Copy)]
enum Api {
    Completions,
    Chat,
}

/// One completion in the making.
struct Completion {
    api: Api,
    id: String,
    created: u64,
    model: String,
    prompt_tokens: usize,
    max_tokens: u32,
}

pub(super) async fn completions(State(mock): State<Arc<Mock>>, body: Bytes) -> Response {
    complete(mock, Api::Completions, &body).await
}

pub(super) async fn chat(State(mock): State<Arc<Mock>>, body: Bytes) -> Response {
    complete(mock, Api::Chat, &body).await
}

async fn complete(mock: Arc<Mock>, api: Api, body: &[u8]) -> Response {
    let request: Request = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(e) => return bad_request(&format!("the body is no completion request: {e}")),
    };
    let stream = request.stream;
    let completion = match Completion::new(api, request) {
        Ok(completion) => Arc::new(completion),
        Err(message) => return bad_request(message),
    };
    if stream {
        return Sse::new(frames(mock, completion)).into_response();
    }
    let max_tokens = completion.max_tokens;
    tokens(mock, max_tokens).for_each(|_| async {}).await;
    Json(completion.whole()).into_response()
}

impl Completion {
    fn new(api: Api, request: Request) -> Result<Self, &'static str> {
        let prompt = match (api, &request.prompt, &request.messages) {
            (Api::Completions, Some(prompt), _) => prompt.to_string(),
            (Api::Completions, None, _) => return Err("the field prompt is missing"),
            (Api::Chat, _, Some(messages)) if !messages.is_empty() => json!(messages).to_string(),
            (Api::Chat, ..) => return Err("the field messages is missing or empty"),
        };
        let max_tokens = request.max_tokens.unwrap_or(16);
        if !(1..=MAX_TOKENS).contains(&max_tokens) {
            return Err("max_tokens must be within 1 and 1000000");
        }
        let prefix = match api {
            Api::Completions => "cmpl",
            Api::Chat => "chatcmpl",
        };
        Ok(Self {
            api,
            id: format!("{prefix}-{:016x}", fastrand::u64(..)),
            created: firstbyte_core::Clock::system().unix_nanos() / 1_000_000_000,
            model: request.model.unwrap_or_else(|| MODEL.to_owned()),
            prompt_tokens: prompt.split_whitespace().count(),
            max_tokens,
        })
    }

    /// The frame of token number `index`, counted from 0.
    fn frame(&self, index: u32) -> Value {
        let reason = (index + 1 == self.max_tokens).then_some("length");
        let (object, mut choice) = match self.api {
            Api::Completions => ("text_completion", json!({"text": TOKEN})),
            Api::Chat if index == 0 => {
                ("chat.completion.chunk", json!({"delta": {"role": "assistant", "content": TOKEN}}))
            }
            Api::Chat => ("chat.completion.chunk", json!({"delta": {"content": TOKEN}})),
        };
        choice["index"] = json!(0);
        choice["finish_reason"] = json!(reason);
        json!({"id": self.id, "object": object, "created": self.created, "model": self.model,
               "choices": [choice]})
    }

    fn whole(&self) -> Value {
        let text = TOKEN.repeat(self.max_tokens as usize);
        let (object, mut choice) = match self.api {
            Api::Completions => ("text_completion", json!({"text": text})),
            Api::Chat => {
                ("chat.completion", json!({"message": {"role": "assistant", "content": text}}))
            }
        };
        choice["index"] = json!(0);
        choice["finish_reason"] = json!("length");
        let usage = json!({"prompt_tokens": self.prompt_tokens,
                           "completion_tokens": self.max_tokens,
                           "total_tokens": self.prompt_tokens + self.max_tokens as usize});
        json!({"id": self.id, "object": object, "created": self.created, "model": self.model,
               "choices": [choice], "usage": usage})
    }
}

/// One server-sent event per token, then `[DONE]`.
fn frames(
    mock: Arc<Mock>,
    completion: Arc<Completion>,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let max_tokens = completion.max_tokens;
    tokens(mock, max_tokens)
        .map(move |index| Event::default().data(completion.frame(index).to_string()))
        .chain(stream::iter([Event::default().data("[DONE]")]))
        .map(Ok)
}

/// The numbers of `count` tokens, each at its time: the rate is read anew for every token, and
/// while generation is paused there is none.
///
/// The first comes after a random part of an interval, or streams that began together would all
/// write at the same moments.
fn tokens(mock: Arc<Mock>, count: u32) -> impl Stream<Item = u32> {
    let start = Instant::now() + mock.token_interval().mul_f64(fastrand::f64());
    stream::unfold((mock, 0, start), move |(mock, index, due)| async move {
        if index == count {
            return None;
        }
        tokio::time::sleep_until(due).await;
        mock.engine.running().await;
        // After a pause generation goes on at its rate; it doesn't catch up.
        let now = Instant::now();
        let due = if now.duration_since(due) > Duration::from_secs(1) { now } else { due };
        let next = due + mock.token_interval();
        Some((index, (mock, index + 1, next)))
    })
}

fn bad_request(message: &str) -> Response {
    let error = json!({"message": message, "type": "invalid_request_error", "code": 400});
    (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response()
}

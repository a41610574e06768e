//! Scripted servers, bodies and faults for tests.
//!
//! | to test | use |
//! | --- | --- |
//! | a client against a server whose every byte is chosen | [`ScriptedServer`], [`Script`] |
//! | a client and a server with a broken network between them | [`FaultProxy`], [`Fault`] |
//! | a middleware that wraps bodies | [`ScriptedBody`], [`BodyProbe`] |
//! | a future dropped at any of its suspensions | [`cancel_sweep`], [`drop_after_polls`], [`poll_times`] |
//! | the same over TLS | [`TlsFixture`] |
//!
//! Everything listens on 127.0.0.1 only, on a port that the kernel chose, and ends when its handle
//! is dropped. Unix only.
//!
//! # Example: a server that is late with the second half of its answer
//!
//! ```
//! use std::time::Duration;
//!
//! use firstbyte_testkit::{Script, ScriptedServer, response_head};
//! use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpStream};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let script = Script::new()
//!     .read_request()
//!     .write(response_head(200, &[], 2))
//!     .pause(Duration::from_millis(20))
//!     .write("ok");
//! let server = ScriptedServer::start(script).await;
//!
//! let mut client = TcpStream::connect(server.addr()).await?;
//! client.write_all(b"POST /pause HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer).await?;
//!
//! assert!(answer.ends_with("\r\n\r\nok"));
//! assert_eq!(server.requests()[0].path, "/pause");
//! assert_eq!(server.posts(), 1);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod body;
mod cancel;
mod proxy;
mod request;
mod response;
mod script;
mod server;
mod tls;

pub use self::{
    body::{BodyProbe, ScriptedBody, ScriptedBodyError},
    cancel::{DropAfterPolls, cancel_sweep, drop_after_polls, poll_times},
    proxy::{Fault, FaultProxy},
    request::RecordedRequest,
    response::{response, response_head},
    script::Script,
    server::ScriptedServer,
    tls::TlsFixture,
};

//! A hyper server whose service answers as it is told, and tells what it sees.

use std::{
    collections::VecDeque,
    convert::Infallible,
    error::Error,
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex, mpsc},
    thread,
};

use bytes::Bytes;
use firstbyte::{
    Clock, Recorder,
    net::{TracedListener, WithTransport},
    tower::{FirstByteLayer, PropagateTraceIdLayer, SetTraceIdLayer},
};
use firstbyte_testkit::{BodyProbe, ScriptedBodyError};
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tower::{Service, ServiceBuilder, service_fn};

use crate::script::{Act, Answer};

/// What the service sees, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A request began.
    Called(String),
    /// Its body ended.
    Read(String),
    /// An exchange is over: what was left of it.
    Over(String),
    /// The connection is.
    Ended(String),
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) answers: Arc<Mutex<VecDeque<Answer>>>,
    pub(crate) told: mpsc::Receiver<Told>,
}

#[derive(Clone)]
struct Scripted {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    told: mpsc::Sender<Told>,
}

impl Server {
    /// With a recorder it has all of ours around its service: layers, transport, IO and listener.
    pub(crate) fn start(recorder: Option<Recorder>) -> Self {
        let (sender, told) = mpsc::channel();
        let answers = Arc::new(Mutex::default());
        let scripted = Scripted { answers: Arc::clone(&answers), told: sender };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            runtime.block_on(async {
                match recorder {
                    None => serve_bare(&listener, &scripted).await,
                    Some(recorder) => serve_traced(listener, &scripted, recorder).await,
                }
            });
        });
        Self { address, answers, told }
    }
}

async fn serve_bare(listener: &TcpListener, scripted: &Scripted) {
    loop {
        let (io, _) = listener.accept().await.unwrap();
        io.set_nodelay(true).unwrap();
        serve(io, service_fn(|request| scripted.call(request)), scripted).await;
    }
}

async fn serve_traced(listener: TcpListener, scripted: &Scripted, recorder: Recorder) {
    let listener = TracedListener::new(listener, Clock::system());
    let service = ServiceBuilder::new()
        .layer(SetTraceIdLayer::new())
        .layer(PropagateTraceIdLayer::new())
        .layer(FirstByteLayer::new(recorder))
        .service_fn(|request| scripted.call(request));
    loop {
        let (io, _) = listener.accept().await.unwrap();
        let service = WithTransport::new(service.clone(), io.connection());
        serve(io, service, scripted).await;
    }
}

async fn serve<S, B>(
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    service: S,
    scripted: &Scripted,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = &'static str> + Clone,
    B: Body<Data = Bytes, Error = ScriptedBodyError> + 'static,
{
    let mut http = http1::Builder::new();
    let connection = http
        .auto_date_header(false)
        .serve_connection(TokioIo::new(io), TowerToHyperService::new(service));
    let ended = connection.with_upgrades().await;
    let ended = ended.map_err(|error| {
        let cause = error.source().map(ToString::to_string);
        (error.to_string(), cause)
    });
    scripted.tell(Told::Ended(format!("{ended:?}")));
}

impl Scripted {
    fn tell(&self, what: Told) {
        // The test may be over.
        _ = self.told.send(what);
    }

    async fn call(
        &self,
        mut request: Request<Incoming>,
    ) -> Result<Response<impl Body<Data = Bytes, Error = ScriptedBodyError> + use<>>, &'static str>
    {
        request.headers_mut().remove("x-trace-id");
        let (method, uri, version) = (request.method(), request.uri(), request.version());
        let head = format!("{method} {uri} {version:?} {:?}", request.headers());
        self.tell(Told::Called(head));
        let answer = self.answers.lock().unwrap().pop_front().expect("an answer to each request");
        let mut life = Life { told: self.told.clone(), left: "cancelled", body: None };
        if answer.reads {
            let body = request.body_mut().collect().await.map(|body| {
                let trailers = body.trailers().cloned();
                (body.to_bytes(), trailers)
            });
            self.tell(Told::Read(format!("{:?}", body.map_err(|error| error.to_string()))));
        }
        if answer.is_upgrade() {
            let upgrade = hyper::upgrade::on(request);
            tokio::spawn(async move {
                let (mut read, mut write) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
                tokio::io::copy(&mut read, &mut write).await.unwrap();
            });
        }
        match answer.act {
            Act::Wait => {
                pending::<Infallible>().await;
            }
            Act::Fail => {
                life.left = "failed";
                return Err("the service failed");
            }
            Act::Respond => {}
        }
        let response = answer.response();
        life.left = "answered";
        life.body = Some(response.body().probe());
        // Lives as long as the body.
        Ok(response.map(|body| {
            body.map_err(move |error| {
                _ = &life;
                error
            })
        }))
    }
}

/// Tells how an exchange ended when nobody holds its future or its body any more.
struct Life {
    told: mpsc::Sender<Told>,
    left: &'static str,
    body: Option<BodyProbe>,
}

impl Drop for Life {
    fn drop(&mut self) {
        let body = self.body.as_ref().map(|body| (body.ended(), body.dropped_early()));
        _ = self.told.send(Told::Over(format!("{} {body:?}", self.left)));
    }
}

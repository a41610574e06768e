//! Gives every request a trace id, and its response the same.
//!
//! An inbound `x-trace-id`, or else the low half of `traceparent`, is used if it is valid; otherwise
//! a new id is made and, if there was a header, counted. Handlers find the [`TraceId`] among the
//! request's extensions; the request's `x-trace-id` header holds it in its normal form, so that
//! layers of others, such as tower-http's `TraceLayer`, see it as well.
//!
//! Order: [`SetTraceIdLayer`] outside of everything that wants the id, [`PropagateTraceIdLayer`]
//! anywhere inside it. The other way round, responses go without an id.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use firstbyte_core::TraceId;
//! use firstbyte_tower::{PropagateTraceIdLayer, SetTraceIdLayer};
//! use http::{Request, Response};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let service = ServiceBuilder::new()
//!     .layer(SetTraceIdLayer::new())
//!     .layer(PropagateTraceIdLayer::new())
//!     .service(service_fn(async |request: Request<()>| {
//!         let id = request.extensions().get::<TraceId>().expect("set by the layer");
//!         Ok::<_, Infallible>(Response::new(id.to_string()))
//!     }));
//!
//! let request = Request::builder().header("x-trace-id", "00F067AA0BA902B7").body(()).unwrap();
//! let response = service.oneshot(request).await.unwrap();
//! assert_eq!(response.headers()["x-trace-id"], "00f067aa0ba902b7");
//! assert_eq!(response.body(), "00f067aa0ba902b7");
//! # }
//! ```
//!
//! [`TraceId`]: firstbyte_core::TraceId

mod invalid_ids;
mod propagate;
mod request;
mod set;

pub use self::{
    invalid_ids::InvalidIds,
    propagate::{PropagateTraceId, PropagateTraceIdLayer, ResponseFuture},
    set::{SetTraceId, SetTraceIdLayer},
};
pub(crate) use self::{
    propagate::set_on_response,
    request::{of_request, set_on_request},
};

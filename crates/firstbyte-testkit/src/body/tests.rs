use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Wake, Waker},
};

use super::*;

type Polled = Poll<Option<Result<Frame<Bytes>, ScriptedBodyError>>>;

fn poll(body: &mut ScriptedBody) -> Polled {
    Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
}

fn data(polled: Polled) -> Bytes {
    match polled {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().expect("a data frame"),
        other => panic!("not a frame: {other:?}"),
    }
}

#[test]
fn the_end_is_known_right_after_the_last_frame() {
    let mut body = ScriptedBody::new().data("ab").data("c");
    let probe = body.probe();
    assert_eq!(body.size_hint().exact(), Some(3));

    assert_eq!(data(poll(&mut body)), "ab");
    assert!(!body.is_end_stream() && !probe.ended());
    assert_eq!(body.size_hint().exact(), Some(1), "what was sent is no longer to come");

    assert_eq!(data(poll(&mut body)), "c");
    assert!(body.is_end_stream() && probe.ended());
    assert!(matches!(poll(&mut body), Poll::Ready(None)));
    assert_eq!((probe.polls(), probe.frames()), (3, 2));
}

#[test]
fn a_late_end_is_known_only_when_polled_for() {
    let mut body = ScriptedBody::new().data("a").end();
    assert_eq!(data(poll(&mut body)), "a");
    assert!(!body.is_end_stream(), "there may be more");
    assert!(matches!(poll(&mut body), Poll::Ready(None)));
    assert!(body.is_end_stream());
}

#[test]
fn trailers_are_the_last_frame() {
    let trailers = HeaderMap::from_iter([(http::header::ETAG, "x".parse().expect("value"))]);
    let mut body = ScriptedBody::new().data("a").trailers(trailers.clone());
    assert_eq!(data(poll(&mut body)), "a");
    assert!(!body.is_end_stream(), "trailers are to come");
    let Poll::Ready(Some(Ok(frame))) = poll(&mut body) else { panic!("no trailers") };
    assert_eq!(frame.into_trailers().expect("trailers"), trailers);
    assert!(body.is_end_stream());
}

#[test]
fn pending_wakes_its_task() {
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Relaxed);
        }
    }

    let mut body = ScriptedBody::new().pending().data("a");
    let probe = body.probe();
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    let polled = Pin::new(&mut body).poll_frame(&mut Context::from_waker(&waker));
    assert!(polled.is_pending() && woken.0.load(Relaxed));
    assert_eq!(data(poll(&mut body)), "a");
    assert_eq!((probe.polls(), probe.frames()), (2, 1));
}

#[test]
fn nothing_follows_an_error() {
    let mut body = ScriptedBody::new().error("broken").data("never");
    let probe = body.probe();
    let Poll::Ready(Some(Err(error))) = poll(&mut body) else { panic!("no error") };
    assert_eq!(error.to_string(), "broken");
    assert!(matches!(poll(&mut body), Poll::Ready(None)));
    drop(body);
    assert!(probe.ended() && probe.dropped() && !probe.dropped_early());
}

#[test]
fn a_panic_is_the_end_too() {
    let mut body = ScriptedBody::new().panic("on purpose").data("never");
    let probe = body.probe();
    catch_unwind(AssertUnwindSafe(|| poll(&mut body).is_ready())).expect_err("a panic");
    assert!(body.is_end_stream() && probe.ended());
}

#[test]
fn a_drop_before_the_end_is_early() {
    for (polls, early) in [(0, true), (1, true), (2, false)] {
        let mut body = ScriptedBody::new().data("a").data("b");
        let probe = body.probe();
        (0..polls).for_each(|_| drop(data(poll(&mut body))));
        assert!(!probe.dropped());
        drop(body);
        assert!(probe.dropped());
        assert_eq!(probe.dropped_early(), early, "after {polls} polls");
    }
}

#[test]
fn a_claimed_size_shrinks_with_what_was_sent() {
    let mut hint = SizeHint::new();
    hint.set_upper(9);
    hint.set_lower(1);
    let mut body = ScriptedBody::new().data("abc").data("d").with_size_hint(hint);
    assert_eq!((body.size_hint().lower(), body.size_hint().upper()), (1, Some(9)));
    assert_eq!(data(poll(&mut body)), "abc");
    assert_eq!((body.size_hint().lower(), body.size_hint().upper()), (0, Some(6)));

    let unknown = ScriptedBody::new().data("abc").with_size_hint(SizeHint::default());
    assert_eq!(unknown.size_hint().exact(), None);
}

#[test]
fn an_empty_body_is_at_its_end_from_the_start() {
    let body = ScriptedBody::new();
    let probe = body.probe();
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    drop(body);
    assert!(!probe.dropped_early());
}

use http::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::clock::Micros;

fn headers(pairs: &[(&HeaderName, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| ((*name).clone(), HeaderValue::from_bytes(value.as_bytes()).unwrap()))
        .collect()
}

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn the_id_comes_from_x_trace_id_else_from_traceparent() {
    let own = TraceId::new(0xa3ce_929d_0e0e_4736).unwrap();
    assert_eq!(TraceHeaders::read(&HeaderMap::new()), TraceHeaders::default());
    let id_of = |pairs: &[(&HeaderName, &str)]| TraceHeaders::read(&headers(pairs)).id();
    assert_eq!(id_of(&[(&TRACEPARENT, PARENT)]), Some(own));
    let both = id_of(&[(&TRACEPARENT, PARENT), (&X_TRACE_ID, "00000000000000b7")]);
    assert_eq!(both, TraceId::new(0xb7));
    assert_eq!(id_of(&[(&TRACEPARENT, PARENT), (&X_TRACE_ID, "zz")]), Some(own));
}

#[test]
fn an_id_that_is_hostile_or_doubled_is_invalid() {
    let long = "a".repeat(8192);
    for value in ["", " ", "0000000000000000", "\u{1b}[31m", "é", &long] {
        let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else { continue };
        let headers = HeaderMap::from_iter([(X_TRACE_ID.clone(), value)]);
        assert!(TraceHeaders::read(&headers).is_invalid(), "{headers:?}");
    }
    let twice = headers(&[(&X_TRACE_ID, "00000000000000b7"), (&X_TRACE_ID, "00000000000000b8")]);
    assert!(TraceHeaders::read(&twice).is_invalid());
    assert!(!TraceHeaders::read(&HeaderMap::new()).is_invalid());
}

#[test]
fn only_headers_that_are_not_right_are_changed() {
    let id = TraceId::new(0xb7).unwrap();
    for wrong in [
        &[][..],
        &[(&X_TRACE_ID, "00000000000000B7")],
        &[(&X_TRACE_ID, "00000000000000b7"), (&X_TRACE_ID, "00000000000000b7")],
        &[(&X_TRACE_ID, "00000000000000b8"), (&TRACEPARENT, "00-zz")],
        &[(&TRACEPARENT, PARENT), (&TRACEPARENT, PARENT)],
    ] {
        let mut map = headers(wrong);
        TraceHeaders::read(&map).set_with_parent(&mut map, id);
        let values =
            |name| map.get_all(name).iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(values(&X_TRACE_ID), ["00000000000000b7"], "{wrong:?}");
        let [parent] = values(&TRACEPARENT)[..] else { panic!("{wrong:?}") };
        assert_eq!(TraceParent::parse(parent.as_bytes()).unwrap().id(), Some(id), "{wrong:?}");
    }
    let right = headers(&[(&X_TRACE_ID, "00000000000000b7"), (&TRACEPARENT, PARENT)]);
    let mut map = right.clone();
    TraceHeaders::read(&map).set_with_parent(&mut map, id);
    assert_eq!(map, right, "a valid traceparent stays");
}

#[test]
fn traceparent_follows_the_standard() {
    let parent = TraceParent::parse(PARENT.as_bytes()).unwrap();
    assert_eq!(parent.trace_id(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
    assert_eq!(parent.parent_id(), 0x00f0_67aa_0ba9_02b7);
    assert_eq!(parent.to_string(), PARENT);
    // A later version may have more fields.
    assert!(TraceParent::parse(format!("01{}-more", &PARENT[2..]).as_bytes()).is_ok());
    for bad in [
        "",
        &format!("ff{}", &PARENT[2..]),
        &format!("{PARENT}-more"),
        &format!("01{}more", &PARENT[2..]),
        &PARENT.to_uppercase(),
        &PARENT[..54],
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ] {
        assert_eq!(TraceParent::parse(bad.as_bytes()), Err(InvalidTraceParent), "{bad}");
    }
}

#[test]
fn server_timing_of_others_is_read_over_and_ours_is_found() {
    let (timing, validity) = ServerTiming::parse(
        r#"db;desc="a;dur=1, rpc;dur=9";dur=5, RPC;dur=8, rpc; DUR = "437.5" ;desc=x, rpc;dur=1,,"#,
    );
    assert_eq!(timing, ServerTiming::new(None, None, Some(Micros(437_500)), None));
    assert_eq!(validity, Ok(()));
    for bad in [
        "rpc",
        "rpc;dur=",
        "rpc;dur=-1",
        "rpc;dur=NaN",
        "rpc;dur=inf",
        "rpc;dur=1e300",
        "rpc;desc=\"dur=1",
    ] {
        assert_eq!(
            ServerTiming::parse(bad),
            (ServerTiming::default(), Err(InvalidServerTiming)),
            "{bad}"
        );
    }
}

#[test]
fn several_server_timing_headers_are_one() {
    let headers = headers(&[
        (&SERVER_TIMING, "kernel;dur=0.3"),
        (&SERVER_TIMING, "total;dur=2, kernel;dur=9"),
    ]);
    let expected = ServerTiming::new(Some(Micros(300)), None, None, Some(Micros(2000)));
    assert_eq!(ServerTiming::from_headers(&headers), (expected, Ok(())));
}

proptest! {
    #[test]
    fn a_server_timing_survives_its_header(parts in any::<[Option<u32>; 4]>()) {
        let [kernel, handler, rpc, total] = parts.map(|part| part.map(|n| Micros(n.into())));
        let timing = ServerTiming::new(kernel, handler, rpc, total);
        let header = timing.to_header();
        prop_assert_eq!(header.is_none(), parts == [None; 4]);
        let text = header.as_ref().map_or("", |header| header.to_str().unwrap());
        prop_assert_eq!(ServerTiming::parse(text), (timing, Ok(())));
    }

    #[test]
    fn no_text_makes_a_header_reader_panic(text in any::<String>(), bytes in proptest::collection::vec(any::<u8>(), 50..70)) {
        _ = ServerTiming::parse(&text);
        _ = TraceParent::parse(text.as_bytes());
        _ = TraceParent::parse(&bytes);
    }

    #[test]
    fn an_id_survives_traceparent(id in 1_u64..) {
        let id = TraceId::new(id).unwrap();
        let parent = TraceParent::parse(TraceParent::new(id).to_header().as_bytes()).unwrap();
        prop_assert_eq!(parent.id(), Some(id));
    }
}

#[test]
fn a_server_timing_of_any_magnitude_comes_back_exactly() {
    let parts = [0, 7, 999, 1_000, 437_500, 86_400_000_000].map(|n| Some(Micros(n)));
    for part in parts {
        let timing = ServerTiming::new(part, None, part, Some(Micros(10)));
        let value = timing.to_header().expect("parts are known");
        assert_eq!(ServerTiming::parse(value.to_str().expect("ASCII")), (timing, Ok(())));
    }
    let longest = Some(Micros(u64::MAX));
    let value = ServerTiming::new(longest, longest, longest, longest).to_header();
    let entries =
        ["kernel", "handler", "rpc", "total"].map(|n| format!("{n};dur=18446744073709551.615"));
    assert_eq!(value.expect("parts are known"), entries.join(", "));
}

#[test]
fn entries_of_others_may_have_any_bytes() {
    let value = HeaderValue::from_bytes(b"cache;desc=\"\xe9\", rpc;dur=5, total;dur=6").unwrap();
    let headers = HeaderMap::from_iter([(SERVER_TIMING.clone(), value)]);
    let (timing, validity) = ServerTiming::from_headers(&headers);
    assert_eq!((timing.rpc, timing.total), (Some(Micros(5_000)), Some(Micros(6_000))));
    assert!(validity.is_ok());
}

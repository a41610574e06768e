use firstbyte_core::Micros;

use super::{wait::LONGEST_WAIT, *};

const SECOND: Duration = Duration::from_secs(1);
const START: Duration = Duration::from_secs(1_000_000);

fn connection() -> (Connection, Clock) {
    let clock = Clock::manual(Timestamp::default(), START);
    let connection = Connection::accepted_now(
        &clock,
        None,
        #[cfg(target_os = "linux")]
        None,
    );
    clock.advance(SECOND);
    (connection, clock)
}

/// What a request waited whose bytes were stamped at this wall-clock time and read now.
fn waited(connection: &Connection, stamp: Duration) -> Option<Micros> {
    connection.begin_request(1, Some(stamp));
    connection.arrival().kernel
}

#[test]
fn the_wait_is_from_the_stamp_to_the_read() {
    let (connection, clock) = connection();
    assert_eq!(waited(&connection, START), Some(SECOND.into()));
    clock.advance(SECOND);
    assert_eq!(connection.arrival().kernel, Some(SECOND.into()), "reading is over");
    assert_eq!(waited(&connection, START), Some((2 * SECOND).into()));
}

#[test]
fn a_stamp_from_the_future_or_from_long_ago_is_no_wait() {
    let (connection, _) = connection();
    assert_eq!(waited(&connection, START + 2 * SECOND), None);
    assert_eq!(waited(&connection, START - LONGEST_WAIT), None);
}

#[test]
fn a_step_of_the_wall_clock_spoils_one_stamp_only() {
    let (connection, _) = connection();
    connection.0.wall_offset.fetch_add(10_000_000, Relaxed);
    assert_eq!(waited(&connection, START), None);
    assert_eq!(waited(&connection, START), Some(SECOND.into()));
}

#[test]
fn a_request_lasts_until_the_next_write() {
    let (connection, clock) = connection();
    assert_eq!(connection.arrival().first_byte, None);
    connection.begin_request(3, None);
    connection.add_read(4, false);
    assert_eq!(connection.arrival().first_byte, Some(clock.now()));
    connection.add_written(5);
    assert_eq!(connection.arrival().first_byte, None);
    assert_eq!((connection.bytes_read(), connection.bytes_written()), (7, 5));
}

#[test]
fn a_read_on_http2_belongs_to_no_request() {
    let (connection, _) = connection();
    connection.begin_request(1, Some(START));
    let accepted = Some(connection.accepted_at());
    let on_http2 = connection.transport(http::Version::HTTP_2).arrival();
    assert_eq!(on_http2, Arrival { accepted, ..Arrival::default() });
    let on_http1 = connection.transport(http::Version::HTTP_11).arrival();
    assert_eq!(on_http1, connection.arrival());
    assert!(on_http1.kernel.is_some());
}

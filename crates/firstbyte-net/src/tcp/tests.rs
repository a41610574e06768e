use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::fd::AsFd,
};

use super::*;
use crate::sys::RawTcpInfo;

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn bytes_are_counted_on_both_ends() {
    let (mut client, mut server) = pair();
    client.write_all(&[7; 1000]).unwrap();
    server.read_exact(&mut [0; 1000]).unwrap();
    let (client, server) = (info(client.as_fd()).unwrap(), info(server.as_fd()).unwrap());
    assert_eq!(client.bytes_sent, Some(1000));
    assert_eq!(client.bytes_acked, Some(1001), "the handshake counts as one");
    assert_eq!(client.notsent_bytes, Some(0));
    assert_eq!(server.bytes_received, Some(1000));
    assert_eq!(server.bytes_sent, Some(0));
    assert!(client.rtt > Duration::ZERO && client.rtt < Duration::from_secs(1), "{:?}", client.rtt);
}

#[test]
fn a_full_send_queue_shows_what_the_peer_did_not_take() {
    let (mut client, server) = pair();
    client.set_nonblocking(true).unwrap();
    assert_eq!(unacked_bytes(client.as_fd()).unwrap(), 0);
    let mut written = 0;
    while let Ok(bytes) = client.write(&[0; 65536]) {
        written += bytes;
    }
    let unacked = unacked_bytes(client.as_fd()).unwrap();
    let received = info(server.as_fd()).unwrap().bytes_received.unwrap() as usize;
    assert!(unacked > 0 && unacked + received >= written, "{unacked} + {received} of {written}");
    let notsent = info(client.as_fd()).unwrap().notsent_bytes.unwrap() as usize;
    assert!(notsent <= unacked, "{notsent} of {unacked}");
}

#[test]
fn the_state_follows_the_close() {
    let (client, mut server) = pair();
    client.shutdown(Shutdown::Write).unwrap();
    server.read_to_end(&mut Vec::new()).unwrap();
    let server = info(server.as_fd()).unwrap();
    assert_eq!(server.state, TcpState::CloseWait);
    assert_eq!(server.bytes_received, Some(1), "the FIN counts as one");
    let state = info(client.as_fd()).unwrap().state;
    assert!(matches!(state, TcpState::FinWait1 | TcpState::FinWait2), "{state:?}");
}

#[test]
fn a_listener_tells_how_many_wait_to_be_accepted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _clients = [(); 3].map(|()| TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    let info = info(listener.as_fd()).unwrap();
    assert_eq!((info.state, info.unacked), (TcpState::Listen, 3));
}

#[test]
fn what_is_no_tcp_socket_is_an_error() {
    let file = std::fs::File::open("/dev/null").unwrap();
    assert!(info(file.as_fd()).is_err());
    assert!(unacked_bytes(file.as_fd()).is_err());
}

#[test]
fn an_old_kernel_leaves_fields_absent() {
    let mut raw = RawTcpInfo::default();
    (raw.bytes_acked, raw.bytes_received) = (5, 6);
    let of = |len| TcpInfo::new(&raw, len);
    assert_eq!((of(104).bytes_acked, of(104).bytes_received), (None, None));
    assert_eq!((of(136).bytes_acked, of(136).bytes_received), (Some(5), Some(6)));
    assert_eq!((of(136).notsent_bytes, of(148).notsent_bytes), (None, Some(0)));
    assert_eq!((of(207).bytes_sent, of(208).bytes_sent), (None, Some(0)));
}

//! Plays the client's side of a connection on a plain socket, and notes everything that can be seen of it.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use crate::{
    script::{Connection, Delivery, ENOUGH, End},
    server::{Server, Told},
};

const SOON: Duration = Duration::from_secs(10);
/// The headers that we declare to add.
const OURS: [&str; 2] = ["x-trace-id: ", "server-timing: "];
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// All of a connection: what the client received, and what the service saw.
#[derive(Debug, PartialEq)]
pub(crate) struct Observed {
    received: String,
    told: Vec<Told>,
}

struct Client<'a> {
    server: &'a Server,
    stream: TcpStream,
    received: Vec<u8>,
    told: Vec<Told>,
}

pub(crate) fn observe(server: &Server, connection: &Connection) -> Observed {
    let answers = connection.exchanges.iter().map(|(_, answer)| answer.clone());
    *server.answers.lock().unwrap() = answers.collect();
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut client = Client { server, stream, received: Vec::new(), told: Vec::new() };
    client.play(connection);
    client.wait_for("its end", |told| told.iter().any(|what| matches!(what, Told::Ended(_))));
    let mut received = without_ours(client.received);
    if connection.end == End::LeavesMidBody {
        // How much of it was read, and in which words the server notes that, is a matter of luck.
        received.truncate(ENOUGH * 9 / 10);
        client.told.pop();
    }
    Observed { received, told: client.told }
}

impl Client<'_> {
    fn play(&mut self, connection: &Connection) {
        let last = connection.exchanges.len() - 1;
        let mut pipelined = Vec::new();
        for (number, (request, answer)) in connection.exchanges.iter().enumerate() {
            let (head, body) = connection.wire(number);
            let mut all = [&head[..], &body].concat();
            if number == last && connection.end == End::RequestCut {
                all.truncate(all.len() * 2 / 3);
            }
            match connection.delivery {
                Delivery::Pipelined => pipelined.extend(all),
                Delivery::Torn => all.chunks(97).for_each(|piece| self.send(piece)),
                Delivery::OneByOne => {
                    if request.is_asked_for() && answer.reads && all.len() > head.len() {
                        self.send(&head);
                        self.read_until(|received| received.ends_with(CONTINUE));
                        self.send(&all[head.len()..]);
                    } else {
                        self.send(&all);
                    }
                    if number < last {
                        self.wait_for_answers(number + 1);
                    }
                }
            }
        }
        if !pipelined.is_empty() {
            self.send(&pipelined);
        }
        match connection.end {
            End::RequestCut => self.wait_for_answers(last),
            End::LeavesBeforeHead => {
                self.wait_for("the last request", |told| {
                    told.iter().filter(|what| matches!(what, Told::Read(_))).count() > last
                });
            }
            End::LeavesMidBody => {
                self.wait_for_answers(last);
                self.read_until(|received| received.len() > ENOUGH);
                _ = self.stream.shutdown(Shutdown::Both);
                return;
            }
            End::Upgrade => {
                self.wait_for_answers(last + 1);
                self.send(b"ping");
            }
            End::Idle => self.wait_for_answers(last + 1),
            // The server does.
            _ => return self.read_to_end(),
        }
        self.stream.shutdown(Shutdown::Write).unwrap();
        self.read_to_end();
    }

    fn read_to_end(&mut self) {
        self.stream.read_to_end(&mut self.received).expect("an end, and no reset");
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    fn read_until(&mut self, done: impl Fn(&[u8]) -> bool) {
        let mut piece = [0; 16_384];
        while !done(&self.received) {
            let bytes = self.stream.read(&mut piece).unwrap();
            assert!(bytes > 0, "closed too early: {}", String::from_utf8_lossy(&self.received));
            self.received.extend_from_slice(&piece[..bytes]);
        }
    }

    /// Waits until so many exchanges are over on the server.
    fn wait_for_answers(&mut self, count: usize) {
        self.wait_for("an answer", |told| {
            told.iter().filter(|what| matches!(what, Told::Over(_))).count() >= count
        });
    }

    fn wait_for(&mut self, what: &str, done: impl Fn(&[Told]) -> bool) {
        while !done(&self.told) {
            let told = self.server.told.recv_timeout(SOON);
            self.told.push(told.unwrap_or_else(|_| panic!("{what} is missing: {:#?}", self.told)));
        }
    }
}

fn without_ours(received: Vec<u8>) -> String {
    let received = String::from_utf8(received).unwrap();
    let is_ours = |line: &&str| OURS.iter().any(|header| line.starts_with(header));
    received.split_inclusive('\n').filter(|line| !is_ours(line)).collect()
}

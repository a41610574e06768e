//! Which server's half belongs to which client's, where one id has several of either.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{
    chain::LATEST,
    half::{ClientEnd, ClientHalf, ServerHalf},
    join::{Halves, Pair, Trace},
    names::{Name, Names},
};

/// The traces whose halves were paired, by their places.
pub(super) type Pairs = HashMap<u32, Vec<Pair>, RandomState>;

/// Which halves belong together in all traces that have several of either.
pub(super) fn settle_all(traces: &[Trace], halves: &Halves, names: &Names) -> Pairs {
    let several = (0..).zip(traces).filter(|(_, trace)| trace.pair().is_none());
    let nowhere = Homes::default();
    let mut pairs: Pairs =
        several.map(|(place, trace)| (place, settle(trace, halves, names, &nowhere))).collect();
    let homes = Homes::of(pairs.values().flatten(), halves, names);
    for (place, pairs) in &mut pairs {
        if pairs.iter().any(|pair| homes.excludes(*pair, halves)) {
            *pairs = settle(&traces[*place as usize], halves, names, &homes);
        }
    }
    pairs
}

/// Which files have the lines of which targets, as far as pairs tell that have the engine's time in common. Such a time
/// may also be alike by chance, and of a log that is cut only one half may be there.
#[derive(Default)]
struct Homes {
    pairs: HashMap<(Name, u32), u32, RandomState>,
    /// The most pairs that a target has with one file, and a file with one target.
    of_target: HashMap<Name, u32, RandomState>,
    of_source: HashMap<u32, u32, RandomState>,
}

impl Homes {
    fn of<'a>(pairs: impl Iterator<Item = &'a Pair>, halves: &Halves, names: &Names) -> Self {
        let mut homes = Self::default();
        for (client, server) in pairs.filter_map(|pair| both(*pair, halves)) {
            if let Some(target) = client.target
                && score(client, server, names) >= TIME_IN_COMMON
            {
                *homes.pairs.entry((target, server.source)).or_default() += 1;
            }
        }
        for ((target, source), count) in &homes.pairs {
            let most = homes.of_target.entry(*target).or_default();
            *most = (*most).max(*count);
            let most = homes.of_source.entry(*source).or_default();
            *most = (*most).max(*count);
        }
        homes
    }

    /// Whether the file is clearly that of other targets, and the target's lines are clearly in other files.
    fn differ(&self, target: Name, source: u32) -> bool {
        let here = self.pairs.get(&(target, source)).copied().unwrap_or_default();
        let is_more = |most: Option<&u32>| most.is_some_and(|most| *most > 1 + 4 * here);
        is_more(self.of_target.get(&target)) && is_more(self.of_source.get(&source))
    }

    fn excludes(&self, pair: Pair, halves: &Halves) -> bool {
        both(pair, halves).is_some_and(|(client, server)| {
            client.target.is_some_and(|target| self.differ(target, server.source))
        })
    }
}

fn both((client, server): Pair, halves: &Halves) -> Option<(&ClientHalf, &ServerHalf)> {
    Some((halves.clients.get(client?), halves.servers.get(server?)))
}

/// Which halves belong together.
///
/// A hop, an attempt or a member of a fan-out is told from the others by its path or operation and the file of its
/// server, then by the engine's time, which both sides have, then by the path that both tell, then by its order. A timer
/// of work that went on after the answer is a half of its own, without a path. Moments of both sides are not compared:
/// they may be of two clocks.
fn settle(trace: &Trace, halves: &Halves, names: &Names, homes: &Homes) -> Vec<Pair> {
    let (clients, servers) = trace.chains();
    let mut clients: Vec<u32> = halves.clients.places(clients).collect();
    let mut servers: Vec<u32> = halves.servers.places(servers).collect();
    // The order of their lines decides between equal moments.
    clients.reverse();
    servers.reverse();
    clients.sort_by_key(|place| halves.clients.get(*place).sent_at);
    servers.sort_by_key(|place| halves.servers.get(*place).recv_at);
    let mut pairs: Vec<Pair> = clients.into_iter().map(|client| (Some(client), None)).collect();
    // Those that are sure come first: an attempt that failed may never have come to a server.
    for least in [TIME_IN_COMMON, 1] {
        for (client, found) in pairs.iter_mut().filter(|(_, found)| found.is_none()) {
            let scores = servers.iter().take(LATEST).map(|server| {
                let pair = (*client, Some(*server));
                let both = both(pair, halves).filter(|_| !homes.excludes(pair, halves));
                both.map_or(0, |(client, server)| score(client, server, names))
            });
            // The first of the best.
            let best = scores.enumerate().rev().max_by_key(|(_, score)| *score);
            let best = best.filter(|(_, score)| *score >= least);
            *found = best.map(|(index, _)| servers.remove(index));
        }
    }
    pairs.extend(servers.into_iter().map(|server| (None, Some(server))));
    pairs
}

/// The least score of halves that tell the same time of the engine.
const TIME_IN_COMMON: u32 = 3;

/// 0 if they cannot be halves of one call.
fn score(client: &ClientHalf, server: &ServerHalf, names: &Names) -> u32 {
    let never_sent = |half: &ClientHalf| match half.end {
        ClientEnd::Failed { outcome: Some(outcome), .. } => names.get(outcome) == "not_sent",
        _ => false,
    };
    let differ = |a: Option<_>, b: Option<_>| a.is_some() && b.is_some() && a != b;
    if never_sent(client) || differ(client.path, server.path) {
        return 0;
    }
    if client.path.is_none() && differ(client.op, server.op) {
        return 0;
    }
    let likely = u32::from(client.path.is_some() && client.path == server.path);
    let Some((told, measured)) = client.rpc().zip(server.rpc()) else { return 1 + likely };
    match told.0.abs_diff(measured.0) {
        // Either is rounded to a tenth of a millisecond, alone.
        ..=100 => TIME_IN_COMMON + likely,
        // Somebody may measure it elsewhere than the line does.
        other if other <= 1000 + measured.0 / 10 => 1 + likely,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use crate::{Log, Options};

    /// Fan-outs to two servers; what is told of the last one, of a client and of each server.
    fn read(last: [&str; 3]) -> Vec<(Option<String>, Option<u32>)> {
        let mut files = ["", "", ""].map(str::to_owned);
        for n in 0..9 {
            for (server, host) in ["a", "b"].iter().enumerate() {
                let (id, rpc) = (format!("{n:016x}"), 10 * n + server);
                files[0] += &format!(
                    "[weights][{id}] client.send url=http://{host}/pause t={n}.0 target={host} op=pause\n\
                     [weights][{id}] client.done wall_ms=200.0 rpc_ms={rpc}.0 target={host} op=pause\n"
                );
                files[1 + server] += &format!(
                    "[weights][{id}] server.recv path=/pause t={n}.5\n\
                     [weights][{id}] rpc.done op=pause t={n}.7 rpc_ms={rpc}.0\n"
                );
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let paths = [0, 1, 2].map(|n| folder.path().join(format!("{n}.log")));
        for (path, (lines, last)) in paths.iter().zip(files.iter().zip(last)) {
            std::fs::write(path, format!("{lines}{last}")).unwrap();
        }
        let log = Log::read(&paths, &Options::default()).unwrap();
        let calls = log.calls().filter(|call| call.id() == "last");
        let told = |call: crate::Call<'_>| {
            (call.target().map(str::to_owned), call.server.map(|half| half.source))
        };
        calls.map(told).collect()
    }

    #[test]
    fn a_server_is_known_by_its_file_where_two_took_the_same_time() {
        let client = |host: &str| {
            format!(
                "[weights][last] client.send url=http://{host}/pause t=90.0 target={host} op=pause\n\
                 [weights][last] client.done wall_ms=200.0 rpc_ms=5.0 target={host} op=pause\n"
            )
        };
        let server = |at: u32| {
            format!(
                "[weights][last] server.recv path=/pause t={at}.0\n[weights][last] rpc.done op=pause t={at}.5 rpc_ms=5.0\n"
            )
        };
        // The order of their clocks is another one.
        let told = read([&(client("a") + &client("b")), &server(95), &server(91)]);
        assert_eq!(told, [(Some("a".to_owned()), Some(1)), (Some("b".to_owned()), Some(2))]);
    }

    #[test]
    fn an_attempt_that_no_server_may_have_seen_takes_nothing_from_the_one_that_was_answered() {
        let log = Log::from_bytes(
            b"[weights][ab] client.send url=http://a/x t=1.0 attempt=1
[weights][ab] client.fail wall_ms=90.0 phase=wait outcome=unknown error=reset attempt=1
[weights][ab] client.send url=http://a/x t=2.0 attempt=2
[weights][ab] client.done wall_ms=90.0 rpc_ms=50.0 attempt=2
[weights][ab] server.recv path=/x t=2.1
[weights][ab] rpc.done op=x t=2.2 rpc_ms=50.0
",
        );
        let paired: Vec<_> = log.calls().map(|call| call.server.is_some()).collect();
        assert_eq!(paired, [false, true]);
    }

    #[test]
    fn halves_whose_engines_took_another_time_are_of_two_calls() {
        let client = "[weights][ab] client.send url=http://a/x t=1.0 target=a\n\
                      [weights][ab] client.done wall_ms=90.0 rpc_ms=50.0 target=a\n\
                      [weights][ab] client.send url=http://b/x t=1.1 target=b\n";
        let server = |rpc: &str| {
            format!(
                "[weights][ab] server.recv path=/x t=1.5\n[weights][ab] rpc.done op=x t=1.6 rpc_ms={rpc}\n"
            )
        };
        let paired = |rpc: &str| {
            let log = Log::from_bytes((client.to_owned() + &server(rpc)).as_bytes());
            log.calls().map(|call| call.server.is_some()).collect::<Vec<_>>()
        };
        assert_eq!(paired("50.1"), [true, false]);
        assert_eq!(paired("54.0"), [true, false]);
        assert_eq!(paired("70.0"), [false, true]);
    }

    #[test]
    fn a_half_whose_log_is_cut_is_not_paired_with_that_of_another_server() {
        let sent = |host: &str| {
            format!(
                "[weights][last] client.send url=http://{host}/pause t=90.0 target={host} op=pause\n"
            )
        };
        let told = read([
            &(sent("a") + &sent("b")),
            "",
            "[weights][last] server.recv path=/pause t=91.0\n",
        ]);
        assert_eq!(told, [(Some("a".to_owned()), None), (Some("b".to_owned()), Some(2))]);
    }
}

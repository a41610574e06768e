use std::fmt::Write as _;

use firstbyte_core::{RouteTable, Tag};

use super::*;

/// Lines of a client.
#[derive(Default)]
struct Lines(String);

impl Lines {
    /// A call that is sent at this millisecond and ends well after so many.
    fn call(&mut self, id: u32, op: &str, target: &str, at: f64, wall: f64) -> &mut Self {
        self.send(id, op, target, at, "").done(id, op, target, wall, "status=200")
    }

    fn send(&mut self, id: u32, op: &str, target: &str, at: f64, more: &str) -> &mut Self {
        writeln!(
            self.0,
            "[weights][{id:016x}] client.send url=http://{target}/{op} t={:.6} op={op} target={target} {more}",
            at / 1e3
        )
        .unwrap();
        self
    }

    fn done(&mut self, id: u32, op: &str, target: &str, wall: f64, more: &str) -> &mut Self {
        writeln!(
            self.0,
            "[weights][{id:016x}] client.done wall_ms={wall:.1} rpc_ms={:.1} queue_ms=1.0 {more} op={op} target={target}",
            (wall - 1.0).max(0.0)
        )
        .unwrap();
        self
    }

    fn fail(&mut self, id: u32, op: &str, target: &str, wall: f64, outcome: &str) -> &mut Self {
        writeln!(
            self.0,
            "[weights][{id:016x}] client.fail wall_ms={wall:.1} phase=wait outcome={outcome} error=timeout op={op} \
             target={target}"
        )
        .unwrap();
        self
    }

    fn log(&self) -> Log {
        Log::from_bytes(self.0.as_bytes())
    }
}

/// Pauses, loads and resumes, one after the other, 1 ms between calls, with this step.
fn whole(lines: &mut Lines, id: u32, target: &str, at: f64, load: f64, step: &str) {
    lines.call(id, "pause", target, at, 10.0);
    lines.send(id + 1, "update_weights", target, at + 11.0, step);
    lines.done(id + 1, "update_weights", target, load, "");
    lines.call(id + 2, "resume", target, at + 12.0 + load, 5.0);
}

fn ms(micros: Option<Micros>) -> Option<f64> {
    micros.map(Micros::as_millis_f64)
}

/// Targets, each with its operations.
fn told(update: &Update<'_>) -> Vec<(String, Vec<String>)> {
    let ops =
        |server: &ServerUpdate<'_>| server.calls.iter().map(|call| call.op.to_owned()).collect();
    update.servers.iter().map(|server| (server.target.clone(), ops(server))).collect()
}

fn path_of(update: &Update<'_>) -> Vec<(String, f64, f64)> {
    let path = update.critical_path().unwrap();
    assert_eq!(Some(path.total()), update.duration());
    let split = path.split();
    assert_eq!(
        path.total(),
        split.rpc + split.queue + split.gap + split.unsplit,
        "the split adds up"
    );
    let link = |link: &Link<'_>| {
        let name = format!("{} {}", link.call.op, link.call.target());
        (name, link.gap.as_millis_f64(), link.took.as_millis_f64())
    };
    path.links.iter().map(link).collect()
}

fn path(links: &[(&str, f64, f64)]) -> Vec<(String, f64, f64)> {
    links.iter().map(|(name, gap, took)| ((*name).to_owned(), *gap, *took)).collect()
}

#[test]
fn servers_that_wait_for_each_other_have_a_barrier() {
    // All are paused, then all load, then all are resumed.
    //        pause      load        resume
    // a      0 - 12    13 - 113     2013 - 2015
    // b      0 -  5    13 - 2012    2013 - 2020
    // c      0 -  3    13 - 313     2013 - 2014
    let mut lines = Lines::default();
    lines.call(1, "pause", "a", 0.0, 12.0).call(2, "pause", "b", 0.0, 5.0);
    lines.call(3, "pause", "c", 0.0, 3.0).call(4, "reload_weights", "a", 13.0, 100.0);
    lines.call(5, "reload_weights", "b", 13.0, 1999.0).call(6, "reload_weights", "c", 13.0, 300.0);
    lines.call(7, "resume", "a", 2013.0, 2.0).call(8, "resume", "b", 2013.0, 7.0);
    lines.call(9, "resume", "c", 2013.0, 1.0);
    let log = lines.log();
    let ledger = Ledger::of(&log);
    let [update] = &ledger.updates[..] else { panic!("{} updates", ledger.updates.len()) };
    assert_eq!(ms(update.duration()), Some(2020.0));
    // b is done at 2012, a at 113, c at 313: the median of 113 and 313 by nearest rank is 113.
    let straggler = update.straggler().unwrap();
    assert_eq!((straggler.target, straggler.servers), ("b", 3));
    assert_eq!(straggler.behind.as_millis_f64(), 1899.0);
    // (2012 - 113) + 0 + (2012 - 313).
    let barrier = update.barrier().unwrap();
    assert_eq!((barrier.cost.as_millis_f64(), barrier.servers), (3598.0, 3));
    let expected =
        [("pause a", 0.0, 12.0), ("reload_weights b", 1.0, 1999.0), ("resume b", 1.0, 7.0)];
    assert_eq!(path_of(update), path(&expected));
    let split = update.critical_path().unwrap().split();
    // rpc is 11 + 1998 + 6, each call has 1 ms of queue.
    assert_eq!(split.rpc.as_millis_f64(), 2015.0);
    assert_eq!((split.queue.as_millis_f64(), split.gap.as_millis_f64()), (3.0, 2.0));
    let paused: Vec<_> =
        update.servers.iter().map(|server| ms(server.paused().and_then(Bounds::exact))).collect();
    assert_eq!(paused, [Some(2003.0), Some(2015.0), Some(2011.0)]);
}

#[test]
fn servers_that_go_their_own_way_do_not_wait() {
    let mut lines = Lines::default();
    whole(&mut lines, 1, "a", 0.0, 100.0, "step=3");
    whole(&mut lines, 11, "b", 0.0, 900.0, "step=3");
    let log = lines.log();
    let ledger = Ledger::of(&log);
    let [update] = &ledger.updates[..] else { panic!("{} updates", ledger.updates.len()) };
    // a is done at 111 and resumed at 112: 1 ms. b itself is the slowest.
    let barrier = update.barrier().unwrap();
    assert_eq!((barrier.cost.as_millis_f64(), barrier.servers), (1.0, 2));
    assert_eq!(update.straggler().unwrap().behind.as_millis_f64(), 800.0);
    let names: Vec<_> = path_of(update).into_iter().map(|link| link.0).collect();
    assert!(names[1..] == ["update_weights b", "resume b"], "{names:?}");
}

#[test]
fn by_order_an_update_ends_with_its_resume() {
    let mut lines = Lines::default();
    whole(&mut lines, 1, "a", 0.0, 100.0, "");
    lines.call(7, "reset_prefix_cache", "a", 200.0, 1.0);
    whole(&mut lines, 11, "a", 1000.0, 100.0, "");
    lines.call(21, "pause", "a", 2000.0, 1.0).call(22, "start_weight_update", "a", 2002.0, 1.0);
    lines.call(23, "update_weights", "a", 2004.0, 1.0).call(24, "update_weights", "a", 2006.0, 1.0);
    lines.call(25, "reset_prefix_cache", "a", 2008.0, 1.0);
    lines.call(26, "finish_weight_update", "a", 2010.0, 1.0).call(27, "resume", "a", 2012.0, 1.0);
    // No pause: each load is an update.
    lines.call(31, "update_weights", "a", 3000.0, 1.0).call(32, "update_weights", "a", 4000.0, 1.0);
    let log = lines.log();
    let ledger = Ledger::of(&log);
    let calls: Vec<usize> = ledger.updates.iter().map(|update| update.calls().count()).collect();
    assert_eq!(calls, [3, 3, 7, 1, 1]);
    assert_eq!(ledger.left_out, LeftOut { stray: 1, ..LeftOut::default() });
    let stages = ledger.updates[2].servers[0].stages();
    let stage = stages.iter().find(|stage| stage.op == "update_weights").unwrap();
    assert_eq!((stage.calls, stage.retries, ms(stage.took)), (2, 0, Some(3.0)));
}

#[test]
fn a_step_joins_what_does_not_overlap_and_separates_what_does() {
    let mut lines = Lines::default();
    whole(&mut lines, 1, "a", 0.0, 100.0, "step=1");
    whole(&mut lines, 11, "b", 500.0, 100.0, "step=1");
    // The servers of step 2 and 3 overlap.
    whole(&mut lines, 21, "a", 1000.0, 100.0, "step=2");
    whole(&mut lines, 31, "b", 1010.0, 100.0, "step=3");
    // A new run begins with step 1.
    whole(&mut lines, 41, "c", 9000.0, 100.0, "step=1");
    let log = lines.log();
    let ledger = Ledger::of(&log);
    let servers: Vec<_> =
        ledger.updates.iter().map(|update| (update.step, update.servers.len())).collect();
    assert_eq!(servers, [(Some(1), 2), (Some(2), 1), (Some(3), 1), (Some(1), 1)]);
    assert_eq!(ms(ledger.updates[0].duration()), Some(617.0));
    // Rolling: the second server begins when the first has been resumed, 383 ms later.
    assert!(path_of(&ledger.updates[0]).contains(&("pause b".to_owned(), 383.0, 10.0)));
}

#[test]
fn an_id_of_the_application_goes_before_the_order() {
    let mut lines = Lines::default();
    // Two traces; the first has no resume.
    lines.call(1, "pause", "a", 0.0, 1.0).call(1, "update_weights", "a", 10.0, 1.0);
    lines.call(2, "update_weights", "a", 20.0, 1.0).call(2, "resume", "a", 30.0, 1.0);
    // One trace over two servers, one after the other.
    for (server, at) in [("b", 100.0), ("c", 200.0)] {
        lines.call(3, "pause", server, at, 1.0).call(3, "update_weights", server, at + 2.0, 1.0);
        lines.call(3, "resume", server, at + 4.0, 1.0);
    }
    let log = lines.log();
    let ledger = Ledger::of(&log);
    let ids: Vec<_> =
        ledger.updates.iter().map(|update| update.id.trim_start_matches('0')).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(ledger.updates[2].servers.len(), 2);
    assert_eq!(ledger.updates[0].state(), State::ResumedLater);
}

#[test]
fn an_id_of_one_fan_out_separates_nothing() {
    let mut lines = Lines::default();
    // First a, then b, so that only the ids say that they belong together.
    for (server, at) in [("a", 0.0), ("b", 100.0)] {
        lines.call(1, "pause", server, at, 1.0).call(2, "update_weights", server, at + 2.0, 1.0);
        lines.call(3, "resume", server, at + 4.0, 1.0);
    }
    let log = lines.log();
    let ledger = Ledger::of(&log);
    let [update] = &ledger.updates[..] else { panic!("{} updates", ledger.updates.len()) };
    assert_eq!((update.servers.len(), update.state()), (2, State::Complete));
}

#[test]
fn retries_are_attempts_of_one_stage() {
    let mut lines = Lines::default();
    lines.call(1, "pause", "a", 0.0, 10.0);
    lines.send(2, "update_weights", "a", 11.0, "attempt=1").fail(
        2,
        "update_weights",
        "a",
        50.0,
        "unknown",
    );
    lines.send(2, "update_weights", "a", 100.0, "attempt=2").done(
        2,
        "update_weights",
        "a",
        30.0,
        "attempt=2",
    );
    lines.send(3, "resume", "a", 131.0, "").done(3, "resume", "a", 1.0, "status=503");
    lines.call(4, "resume", "a", 140.0, 5.0);
    let log = lines.log();
    let ledger = Ledger::of(&log);
    let [update] = &ledger.updates[..] else { panic!("{} updates", ledger.updates.len()) };
    let stages = update.servers[0].stages();
    let told: Vec<_> =
        stages.iter().map(|stage| (stage.op, stage.calls, stage.retries, stage.is_ok)).collect();
    assert_eq!(
        told,
        [("pause", 1, 0, true), ("update_weights", 2, 1, true), ("resume", 2, 1, true)]
    );
    assert_eq!(update.state(), State::Complete);
    // From the end of the pause to the end of the resume that worked.
    assert_eq!(ms(update.servers[0].paused().unwrap().exact()), Some(135.0));
    // The failed attempt does not tell the engine's work.
    assert_eq!(update.critical_path().unwrap().split().unsplit.as_millis_f64(), 50.0);
    assert_eq!(path_of(update)[2], ("update_weights a".to_owned(), 39.0, 30.0));
}

#[test]
fn a_server_that_is_never_resumed_is_told() {
    let mut lines = Lines::default();
    whole(&mut lines, 1, "a", 0.0, 100.0, "step=1");
    lines.call(11, "pause", "b", 0.0, 10.0);
    lines.send(12, "update_weights", "b", 11.0, "step=1");
    let log = lines.log();
    let ledger = Ledger::of(&log);
    let [update] = &ledger.updates[..] else { panic!("{} updates", ledger.updates.len()) };
    assert_eq!(update.state(), State::NotResumed);
    assert_eq!(update.servers[0].state(), State::Complete);
    // What has no end has no duration, no critical path, no straggler and no barrier; but a lower bound.
    assert_eq!((update.duration(), ms(update.at_least())), (None, Some(117.0)));
    assert!(update.critical_path().is_none() && update.barrier().is_none());
    assert!(update.straggler().is_none());
    let paused = update.servers[1].paused().unwrap();
    assert_eq!((ms(Some(paused.least)), paused.most), (Some(1.0), None));
}

#[test]
fn a_pause_without_an_end_gives_bounds() {
    let mut lines = Lines::default();
    lines.send(1, "pause", "a", 0.0, "");
    lines.call(2, "update_weights", "a", 20.0, 100.0).call(3, "resume", "a", 121.0, 4.0);
    let log = lines.log();
    let paused = Ledger::of(&log).updates[0].servers[0].paused().unwrap();
    // It was paused between 0 and 20, and resumed at 125.
    assert_eq!((ms(Some(paused.least)), ms(paused.most)), (Some(105.0), Some(125.0)));
    assert_eq!(paused.exact(), None);
}

#[test]
fn a_pause_that_was_never_sent_leaves_nothing_paused() {
    let mut lines = Lines::default();
    lines.send(1, "pause", "a", 0.0, "").fail(1, "pause", "a", 3.0, "not_sent");
    let log = lines.log();
    let ledger = Ledger::of(&log);
    assert_eq!(ledger.updates[0].state(), State::Failed);
    assert_eq!(ledger.updates[0].servers[0].paused(), None);
    let mut lines = Lines::default();
    lines.send(1, "pause", "a", 0.0, "").fail(1, "pause", "a", 3.0, "unknown");
    let log = lines.log();
    assert_eq!(Ledger::of(&log).updates[0].state(), State::NotResumed);
}

#[test]
fn two_clocks_are_joined_by_an_id_alone_and_never_compared() {
    let folder = tempfile::tempdir().unwrap();
    let host = |name: &str, boot: &str, id: u32, target: &str| {
        let mut lines = Lines::default();
        writeln!(
            lines.0,
            "[firstbyte] process.start pid=1 boot={boot} host={name} version=0 t=0.1 unix=1.0"
        )
        .unwrap();
        lines.call(id, "pause", target, 10.0, 1.0);
        lines.send(id, "update_weights", target, 12.0, "step=5").done(
            id,
            "update_weights",
            target,
            9.0,
            "",
        );
        lines.call(id, "resume", target, 22.0, 1.0);
        let path = folder.path().join(name);
        std::fs::write(&path, lines.0).unwrap();
        path
    };
    let read = |paths: &[std::path::PathBuf]| Log::read(paths, &crate::Options::default()).unwrap();
    let log = read(&[host("one", "b1", 1, "a"), host("two", "b2", 1, "b")]);
    let ledger = Ledger::of(&log);
    assert_eq!(ledger.updates.len(), 1);
    let update = &ledger.updates[0];
    assert_eq!(told(update).len(), 2);
    assert!(update.begin().is_none() && update.duration().is_none() && update.barrier().is_none());
    assert!(update.straggler().is_none() && update.critical_path().is_none());
    assert_eq!(ms(update.servers[1].paused().unwrap().exact()), Some(12.0));
    // The same step and the same moments, but ids of their own.
    let log = read(&[host("one", "b1", 1, "a"), host("two", "b2", 2, "b")]);
    assert_eq!(Ledger::of(&log).updates.len(), 2);
}

#[test]
fn the_checkpoint_of_the_step_is_told_if_there_is_one() {
    let mut lines = Lines::default();
    lines.0.push_str(
        "[ckpt] write.done step=1 write_ms=80.0 bytes=1000\n[ckpt] wait.done target_step=1 wait_ms=314.8\n\
         [ckpt] wait.done target_step=2 wait_ms=1.0\n[ckpt] wait.done target_step=2 wait_ms=2.0\n",
    );
    whole(&mut lines, 1, "a", 0.0, 100.0, "step=1");
    whole(&mut lines, 11, "a", 500.0, 100.0, "step=2");
    let log = lines.log();
    let updates = Ledger::of(&log).updates;
    let Checkpoint { wait, write, bytes } = updates[0].checkpoint;
    assert_eq!((ms(wait), ms(write), bytes), (Some(314.8), Some(80.0), Some(1000)));
    assert_eq!(updates[1].checkpoint, Checkpoint::default());
}

#[test]
fn what_is_left_out_is_counted() {
    let mut lines = Lines::default();
    lines.done(1, "pause", "a", 1.0, "").call(2, "resume", "a", 5.0, 1.0);
    lines.call(3, "is_paused", "a", 7.0, 1.0);
    lines.0.push_str("[weights][0000000000000009] server.recv path=/pause t=1.000000\n");
    lines.0.push_str("[weights][0000000000000009] rpc.start op=pause t=1.000000\n");
    let log = lines.log();
    let ledger = Ledger::of(&log);
    assert!(ledger.updates.is_empty());
    let expected = LeftOut { server_only: 1, without_moment: 1, mixed_clocks: 0, stray: 1 };
    assert_eq!(ledger.left_out, expected);
}

#[test]
fn the_rounding_of_a_wall_time_is_no_gap_and_no_overlap() {
    let mut lines = Lines::default();
    // 9.96 ms, written as 10.0: the next call seems to be sent 0.03 ms before its end.
    lines.call(1, "pause", "a", 0.0, 10.0).call(2, "update_weights", "a", 9.97, 100.0);
    lines.call(3, "resume", "a", 120.0, 1.0);
    let log = lines.log();
    let expected =
        [("pause a", 0.0, 9.97), ("update_weights a", 0.0, 100.0), ("resume a", 10.03, 1.0)];
    assert_eq!(path_of(&Ledger::of(&log).updates[0]), path(&expected));
}

#[test]
fn every_path_adds_up_whatever_the_calls_are() {
    let mut seed = 7_u64;
    let mut next = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for round in 0..200 {
        let mut lines = Lines::default();
        for id in 0..30 {
            let op = ["pause", "update_weights", "reset_prefix_cache", "resume"][next(4) as usize];
            let target = ["a", "b", "c"][next(3) as usize];
            lines.call(id, op, target, next(200) as f64 / 10.0, next(30) as f64 / 10.0);
        }
        let log = lines.log();
        let ledger = Ledger::of(&log);
        let calls: usize = ledger.updates.iter().map(|update| update.calls().count()).sum();
        assert_eq!(calls as u64 + ledger.left_out.stray, 30, "round {round}");
        for update in &ledger.updates {
            path_of(update);
        }
    }
}

#[test]
fn moments_and_times_at_the_end_of_their_range_do_no_harm() {
    let mut lines = String::new();
    for (n, (t_ns, wall_us)) in
        [(0, 0), (u64::MAX, u64::MAX), (u64::MAX, 0), (0, u64::MAX), (u64::MAX - 1, 1)]
            .into_iter()
            .enumerate()
    {
        for (target, op) in
            [("a", "pause"), ("b", "update_weights"), ("b", "resume"), ("a", "resume")]
        {
            for (name, time) in [
                ("client.send", format!("\"t_ns\":{t_ns}")),
                ("client.done", format!("\"wall_us\":{wall_us}")),
            ] {
                writeln!(
                    lines,
                    r#"{{"v":1,"tag":"weights","tid":"{n:016x}","name":"{name}","op":"{op}","target":"{target}",{time}}}"#
                )
                .unwrap();
            }
        }
    }
    let log = Log::from_bytes(lines.as_bytes());
    let ledger = Ledger::of(&log);
    assert!(!ledger.updates.is_empty());
    for update in &ledger.updates {
        _ = (
            update.duration(),
            update.at_least(),
            update.straggler(),
            update.barrier(),
            update.state(),
        );
        if update.end().is_some() {
            path_of(update);
        }
    }
}

#[test]
fn every_operation_of_the_weight_family_has_its_place_in_an_update() {
    for route in RouteTable::builtin().iter().filter(|route| route.tag == Tag::Weights) {
        let operation = &route.operation;
        assert!(Kind::of(operation).is_some(), "{operation} would be in no update: see `Kind::of`");
    }
}

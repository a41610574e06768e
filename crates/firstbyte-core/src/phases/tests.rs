use proptest::prelude::*;

use super::*;
use crate::{Value, record};

fn phases(wait: u64) -> Phases {
    let at = |micros| Timestamp::from_nanos(micros * 1000);
    let mut timer = PhaseTimer::start(at(0));
    timer.enter(Phase::Wait, at(100));
    timer.enter(Phase::Receive, at(100 + wait));
    timer.finish(at(100 + wait + 50))
}

fn server(kernel: Option<u64>, handler: Option<u64>, total: Option<u64>) -> ServerTiming {
    ServerTiming::new(kernel.map(Micros), handler.map(Micros), None, total.map(Micros))
}

#[test]
fn both_halves_split_the_wait_into_all_its_parts() {
    let split = Split::new(
        phases(1000),
        server(Some(300), Some(200), Some(600)),
        ReportedRpc::Known(Micros(350)),
    );
    assert_eq!(split.respond, Some(Micros(50)));
    assert_eq!(split.network, Some(Micros(100)));
    assert_eq!(split.unattributed, None);
    assert_eq!(split.queue(), Some(Micros(1150 - 350)));
    assert_eq!(split.flags, Flags::default());
}

#[test]
fn without_the_kernels_share_the_rest_has_no_name() {
    let split = Split::new(
        phases(1000),
        server(None, Some(200), Some(600)),
        ReportedRpc::Known(Micros(350)),
    );
    assert_eq!((split.network, split.unattributed), (None, Some(Micros(400))));
}

#[test]
fn wall_and_rpc_alone_blame_nobody() {
    let split = Split::new(phases(1000), ServerTiming::default(), ReportedRpc::Known(Micros(350)));
    assert_eq!((split.network, split.unattributed), (None, Some(Micros(650))));
    assert_eq!((split.kernel, split.handler, split.respond), (None, None, None));
}

#[test]
fn without_a_timer_the_servers_time_is_not_lost_and_not_the_networks() {
    let split = Split::new(phases(1000), server(Some(300), None, Some(600)), ReportedRpc::Missing);
    assert_eq!((split.network, split.unattributed), (Some(Micros(100)), Some(Micros(600))));
    let failed = Split::new(phases(1000), server(None, Some(200), Some(600)), ReportedRpc::Missing);
    assert_eq!((failed.network, failed.unattributed), (None, Some(Micros(800))));
}

#[test]
fn without_the_handlers_share_the_answer_is_not_blamed() {
    let split = Split::new(
        phases(1000),
        server(Some(300), None, Some(600)),
        ReportedRpc::Known(Micros(50)),
    );
    assert_eq!((split.respond, split.unattributed), (None, Some(Micros(550))));
    assert_eq!(split.network, Some(Micros(100)));
}

#[test]
fn a_server_that_began_before_the_body_was_there_waited_for_it_in_send() {
    let at = |micros: u64| Timestamp::from_nanos(micros * 1000);
    let mut timer = PhaseTimer::start(at(0));
    timer.enter(Phase::Send, at(0));
    timer.enter(Phase::Wait, at(300));
    let phases = timer.finish(at(1300));
    let rpc = ReportedRpc::Known(Micros(700));
    let split = Split::new(phases, server(Some(100), Some(450), Some(1200)), rpc);
    assert_eq!(split.flags, Flags::default());
    assert_eq!((split.kernel, split.handler), (Some(Micros(100)), Some(Micros(150))));
    assert_eq!((split.respond, split.network), (Some(Micros(50)), Some(Micros(0))));
    let without_rpc = Split::new(phases, server(Some(100), None, Some(1200)), ReportedRpc::Missing);
    assert_eq!(without_rpc.unattributed, Some(Micros(900)));
    assert_eq!(without_rpc.flags.to_text(), "rpc_missing");
    // More than `send`, and more than the handler had.
    for server in
        [server(Some(101), Some(450), Some(1200)), server(Some(100), Some(299), Some(1200))]
    {
        let split = Split::new(phases, server, rpc);
        assert_eq!(split.flags.to_text(), "server_exceeds_wait");
    }
}

#[test]
fn parts_that_are_longer_than_their_total_are_flagged() {
    let split = Split::new(
        phases(1000),
        server(Some(10), Some(5), Some(20)),
        ReportedRpc::Known(Micros(900)),
    );
    assert_eq!(split.flags.to_text(), "server_exceeds_wait");
    assert_eq!((split.network, split.unattributed), (None, Some(Micros(100))));
}

#[test]
fn a_report_that_cannot_be_true_is_flagged_and_left_out() {
    let exceeds =
        Split::new(phases(1000), ServerTiming::default(), ReportedRpc::Known(Micros(1151)));
    assert_eq!((exceeds.rpc, exceeds.queue()), (None, None));
    assert_eq!(exceeds.flags.to_text(), "rpc_exceeds_wall");
    let missing = Split::new(phases(1000), ServerTiming::default(), ReportedRpc::Missing);
    assert_eq!(
        (missing.unattributed, missing.flags.to_text().as_str()),
        (Some(Micros(1000)), "rpc_missing")
    );
    let invalid = Split::new(phases(1000), ServerTiming::default(), ReportedRpc::Invalid);
    assert_eq!(invalid.flags.to_text(), "rpc_invalid");
    let lying = Split::new(
        phases(1000),
        server(Some(900), None, Some(600)),
        ReportedRpc::Known(Micros(10)),
    );
    assert_eq!(lying.flags.to_text(), "server_exceeds_wait");
    assert_eq!((lying.kernel, lying.network, lying.unattributed), (None, None, Some(Micros(990))));
}

#[test]
fn phases_never_go_back() {
    let at = |micros: u64| Timestamp::from_nanos(micros * 1000);
    let mut timer = PhaseTimer::start(at(1000));
    timer.enter(Phase::Send, at(1500));
    timer.enter(Phase::Pool, at(1600));
    timer.enter(Phase::Wait, at(1400));
    assert_eq!(timer.current(), Phase::Wait);
    let phases = timer.finish(at(2000));
    assert_eq!(phases.get(Phase::Pool), None);
    assert_eq!(phases.get(Phase::Send), Some(Micros(0)));
    assert_eq!(phases.wall(), Micros(1000));
}

#[test]
fn a_boundary_that_is_taken_back_was_never_there() {
    let at = |micros: u64| Timestamp::from_nanos(micros * 1000);
    let mut timer = PhaseTimer::start(at(0));
    timer.take_back();
    assert_eq!(timer.current(), Phase::Setup, "there is none before it");
    timer.enter(Phase::Send, at(10));
    timer.enter(Phase::Receive, at(15));
    timer.take_back();
    assert_eq!(timer.current(), Phase::Send, "the wait had not begun");
    timer.enter(Phase::Wait, at(20));
    timer.enter(Phase::Receive, at(50));
    timer.take_back();
    timer.enter(Phase::Receive, at(70));
    let phases = timer.finish(at(100));
    let all = [Phase::Setup, Phase::Send, Phase::Wait, Phase::Receive];
    assert_eq!(all.map(|phase| phases.get(phase).unwrap().0), [10, 10, 50, 30]);
}

#[test]
fn a_handler_that_is_longer_than_its_total_contradicts_it() {
    let at = |micros: u64| Timestamp::from_nanos(micros * 1000);
    let mut timer = PhaseTimer::start(at(0));
    timer.enter(Phase::Send, at(0));
    timer.enter(Phase::Wait, at(500));
    let phases = timer.finish(at(1500));
    // The kernel alone is 2 us longer than the wait.
    let timing = ServerTiming::new(Some(Micros(1002)), Some(Micros(100)), None, Some(Micros(0)));
    let split = Split::new(phases, timing, ReportedRpc::Missing);
    assert!(split.flags.server_exceeds_wait);
    assert_eq!((split.kernel, split.unattributed), (None, Some(Micros(1000))));
}

proptest! {
    #[test]
    fn the_parts_add_up_exactly(
        start in 0_u64..1 << 60,
        steps in proptest::collection::vec((0_usize..9, 0_u64..1 << 40), 0..12),
        server in any::<[Option<u32>; 4]>(),
    ) {
        let mut now = start;
        let mut timer = PhaseTimer::start(Timestamp::from_nanos(start));
        for (phase, nanos) in steps {
            now += nanos;
            match Phase::ALL.get(phase) {
                Some(phase) => timer.enter(*phase, Timestamp::from_nanos(now)),
                None => timer.take_back(),
            }
        }
        let phases = timer.finish(Timestamp::from_nanos(now));
        prop_assert_eq!(phases.wall(), Micros((now - start) / 1000));
        let [kernel, handler, rpc, total] = server.map(|part| part.map(|n| Micros(n.into())));
        let reported = rpc.map_or(ReportedRpc::Missing, ReportedRpc::Known);
        let split = Split::new(phases, ServerTiming::new(kernel, handler, None, total), reported);
        if let Some(rpc) = split.rpc {
            prop_assert_eq!(split.queue().unwrap() + rpc, split.wall());
        }
        let engine_fits = |wait| split.rpc.is_none_or(|rpc| rpc <= wait);
        if let Some(wait) = phases.get(Phase::Wait) && engine_fits(wait) {
            let parts = [split.kernel, split.handler, split.rpc, split.respond, split.network, split.unattributed];
            prop_assert_eq!(parts.into_iter().flatten().sum::<Micros>(), wait);
        }
        let mut event = Event::new(&record::CLIENT_DONE, Timestamp::default());
        split.set_on(&mut event);
        let sum: u64 = Phase::ALL.iter().filter_map(|phase| match event.get(phase.field()) {
            Some(Value::Millis(n)) => Some(n.0),
            _ => None,
        }).sum();
        prop_assert_eq!(event.get(field::WALL), Some(Value::Millis(Micros(sum))));
    }
}

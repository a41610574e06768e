//! A server that is slower than the others.

use std::collections::BTreeMap;

use firstbyte_core::Micros;

use super::{
    Confidence, Finding, Rule, Severity,
    several::{ByServer, FEWEST, median},
};
use crate::{
    compare::{are_larger, reach_of},
    correlate::Call,
    measure::Summary,
};

/// The rpc of a server's calls in milliseconds, in order.
struct Server<'a> {
    target: &'a str,
    median: f64,
    times: Vec<f64>,
}

impl<'a> Server<'a> {
    fn of(target: &'a str, calls: &[Call<'_>]) -> Option<Self> {
        let done = calls.iter().filter(|call| call.ended_well());
        let times: Vec<Micros> = done.filter_map(Call::rpc).collect();
        let median = median(&Summary::of(times.clone()).filter(|all| all.n >= FEWEST)?);
        let times = in_order(times.into_iter().map(Micros::as_millis_f64));
        Some(Self { target, median, times })
    }

    /// Whether its calls take longer than the other ones of these, beyond chance.
    fn is_slower(&self, all: &[f64], reach: f64) -> bool {
        let not_below =
            |times: &[f64], time: f64| times.len() - times.partition_point(|t| *t < time);
        let others = |time: &f64| (not_below(all, *time) - not_below(&self.times, *time)) as u64;
        let against: u64 = self.times.iter().map(others).sum();
        are_larger(self.times.len(), all.len() - self.times.len(), against, reach)
    }
}

fn in_order(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The middle one without this one, which is among them; they are in order.
fn middle_of_others(medians: &[f64], own: f64) -> Option<f64> {
    let middle = medians.len().checked_sub(1)? / 2;
    let is_before = medians.partition_point(|median| *median < own) <= middle;
    medians.get(middle + usize::from(is_before)).copied()
}

pub(super) fn findings(calls: &ByServer<'_>, rule: &Rule) -> Vec<Finding> {
    let mut operations: BTreeMap<&str, Vec<Server<'_>>> = BTreeMap::new();
    for ((op, target), calls) in calls {
        operations.entry(op).or_default().extend(Server::of(target, calls));
    }
    // Of many servers one is slower by chance. Only that counts, not that it is quicker: half of a test for each.
    let compared = operations.values().map(Vec::len).filter(|servers| *servers > 1);
    let reach = reach_of(compared.sum::<usize>().div_ceil(2));
    let mut findings = Vec::new();
    for (op, servers) in operations {
        let medians = in_order(servers.iter().map(|server| server.median));
        let all = in_order(servers.iter().flat_map(|server| &server.times).copied());
        for server in &servers {
            let Server { target, median, times } = server;
            let usual = middle_of_others(&medians, *median).filter(|usual| *usual > 0.0);
            let Some(usual) = usual else { continue };
            let is_much = median / usual > rule.over && median - usual >= rule.at_least_ms;
            if is_much && server.is_slower(&all, reach) {
                findings.push(Finding {
                    rivals: rule.all_rivals(),
                    rule: rule.clone(),
                    severity: Severity::Warning,
                    confidence: Confidence::Inferred,
                    numbers: vec![format!(
                        "{op} on {target}: median rpc {median:.1} ms (n {}), {:.1} times the {usual:.1} ms of the others \
                         (servers: {}; threshold {} times and {} ms)",
                        times.len(),
                        median / usual,
                        medians.len() - 1,
                        rule.over,
                        rule.at_least_ms
                    )],
                    evidence: Vec::new(),
                    weight: median - usual,
                });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::{Rules, diagnose};

    #[test]
    fn the_middle_of_others_is_that_of_those_left_when_one_is_taken_out() {
        for medians in [&[1.0][..], &[1.0, 2.0], &[1.0, 2.0, 2.0, 3.0], &[1.0, 1.0, 4.0, 5.0, 9.0]]
        {
            for (place, own) in medians.iter().enumerate() {
                let mut others = medians.to_vec();
                others.remove(place);
                let expected = others.get(others.len() / 2).copied();
                assert_eq!(middle_of_others(medians, *own), expected, "{own} of {medians:?}");
            }
        }
    }

    #[test]
    fn very_many_servers_are_compared() {
        // Each with each other, they would take minutes.
        let mut lines = String::new();
        for n in 0..60_000_u32 {
            let rpc = 100 + n % 7;
            lines += &format!(
                "[weights][{n:016x}] client.done wall_ms={}.0 rpc_ms={rpc}.0 queue_ms=1.0 target=h{}:80\n",
                rpc + 1,
                n / 3
            );
        }
        let log = crate::Log::from_bytes(lines.as_bytes());
        let rules = Rules::default();
        let found = diagnose(&log, &rules, rules.thresholds("small").unwrap());
        assert!(found.findings.is_empty());
    }
}

//! An entry of the file, and what is wrong with it.

use std::collections::HashSet;

use serde::Deserialize;
use toml::Spanned;

use super::{Bound, CriteriaError, Criterion, Fix, Limit, Quantity, Selection, Test};
use crate::{
    measure::{Metric, Statistic},
    observed::{metrics, units},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    criterion: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    metric: Option<String>,
    statistic: Option<Statistic>,
    at_most: Option<f64>,
    at_least: Option<f64>,
    compare: Option<Compare>,
    fix_validation: Option<Fix>,
    #[serde(default, rename = "where")]
    selection: Selection,
    #[serde(default)]
    at_least_calls: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Compare {
    NotWorse,
}

pub(super) fn parse(text: &str) -> Result<Vec<Criterion>, CriteriaError> {
    let file: File = toml::from_str(text).map_err(|error| CriteriaError(error.to_string()))?;
    if file.criterion.is_empty() {
        return Err(CriteriaError("line 1: there is no [[criterion]], so nothing to check".into()));
    }
    let mut names = HashSet::new();
    let (mut at, mut line) = (0, 1);
    let entries = file.criterion.into_iter().map(|entry| {
        // On from the entry before: a count from the start for each would be quadratic.
        let between = text.get(at..entry.span().start).unwrap_or_default();
        line += between.bytes().filter(|byte| *byte == b'\n').count();
        at = entry.span().start;
        let entry = entry.into_inner();
        let test = if !names.insert(entry.name.clone()) {
            Err("another criterion has this name".to_owned())
        } else {
            test(&entry)
        };
        let test = test.map_err(|what| {
            CriteriaError(format!("line {line}: criterion {:?}: {what}", entry.name))
        })?;
        let Entry { name, selection, at_least_calls, .. } = entry;
        Ok(Criterion { name, line, selection, at_least_calls, test })
    });
    entries.collect()
}

fn test(entry: &Entry) -> Result<Test, String> {
    let has_limit = entry.at_most.is_some() || entry.at_least.is_some();
    match (&entry.compare, &entry.fix_validation, &entry.metric) {
        (None, None, Some(metric)) => number(entry, metric),
        (Some(Compare::NotWorse), None, Some(name)) if entry.statistic.is_none() && !has_limit => {
            let metric = call(name);
            let not = || format!("metric {name:?} is no time of a call, which compare needs");
            metric.map(Test::NotWorse).ok_or_else(not)
        }
        (None, Some(fix), None) if entry.statistic.is_none() && !has_limit => {
            let is_time = |ms: f64| ms.is_finite() && ms >= 0.0;
            if !is_time(fix.queue_before_over) || !is_time(fix.queue_after_under) {
                return Err("fix_validation has milliseconds, from 0".into());
            }
            if fix.queue_after_under > fix.queue_before_over {
                return Err("queue_after_under must not be above queue_before_over".into());
            }
            Ok(Test::Fix(*fix))
        }
        _ => Err("needs either metric with at_most or at_least, or metric with compare = \"not_worse\", or \
                  fix_validation, and nothing of the others"
            .into()),
    }
}

fn number(entry: &Entry, metric: &str) -> Result<Test, String> {
    let quantity = quantity(metric, entry.statistic)?;
    let is_beside = matches!(quantity, Quantity::Beside(..));
    if is_beside && !entry.selection.is_everything() {
        return Err(format!("where is of calls, and {metric} is not"));
    }
    let bounds = [(Bound::AtLeast, entry.at_least), (Bound::AtMost, entry.at_most)];
    let limits: Vec<_> =
        bounds.into_iter().filter_map(|(bound, value)| Some(Limit::new(bound, value?))).collect();
    let highest = if quantity.is_share() { 1.0 } else { f64::MAX };
    match limits.as_slice() {
        [] => Err("needs at_most or at_least".into()),
        limits if limits.iter().any(|limit| !(0.0..=highest).contains(&limit.value)) => {
            let to = if quantity.is_share() { "from 0 to 1" } else { "a number from 0" };
            Err(format!("the limit of {quantity} is {to}"))
        }
        [least, most] if least.value > most.value => Err("at_least is above at_most".into()),
        _ => Ok(Test::Number { quantity, limits }),
    }
}

/// What a metric and a statistic name.
fn quantity(metric: &str, statistic: Option<Statistic>) -> Result<Quantity, String> {
    let own = match metric {
        "failed_share" => Some(Quantity::FailedShare),
        "calls" => Some(Quantity::Calls),
        _ => None,
    };
    if let Some(own) = own {
        return match statistic {
            None => Ok(own),
            Some(_) => Err(format!("{metric} is one number, and has no statistic")),
        };
    }
    let call = call(metric);
    let Some(name) = metrics().into_iter().find(|name| *name == metric) else {
        let known = metrics().join(", ");
        return Err(format!("metric {metric:?} is not one of failed_share, calls, {known}"));
    };
    let Some(statistic) = statistic else {
        return Err("needs statistic: min, mean, max, stddev, p50, p95, p99, n or share".into());
    };
    let is_duration = units(name).is_some_and(|units| units.contains(&"ms"));
    match (statistic, call) {
        (Statistic::Share, call) if !call.is_some_and(Metric::is_part_of_wall) => {
            Err(format!("{metric} is no part of wall, so that it has no share of it"))
        }
        (Statistic::P99, None) if !is_duration => Err("p99 is told of durations only".into()),
        (_, Some(call)) => Ok(Quantity::Call(call, statistic)),
        (_, None) => Ok(Quantity::Beside(name, statistic)),
    }
}

fn call(name: &str) -> Option<Metric> {
    Metric::all().into_iter().find(|metric| metric.as_str() == name)
}

//! The table that is printed and written to `target/bench/NAME.json`.

use std::{fs, io, path::Path};

use serde::Serialize;

/// One figure.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// The figure.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it is compared with.
    pub peer: Option<String>,
    /// value / the peer's value, or the other way round where more is better; see `name`.
    pub ratio: Option<f64>,
    /// The bar, in words.
    pub bar: Option<String>,
    /// Whether the bar holds.
    pub holds: Option<bool>,
}

/// The results of one benchmark program.
#[derive(Debug, Default)]
pub struct Table(Vec<Row>);

impl Table {
    /// A figure that has no bar: a peer's, or context.
    pub fn context(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.push(name, value, unit, None, None, None);
    }

    /// A figure that must not exceed `limit`.
    pub fn at_most(&mut self, name: impl Into<String>, value: f64, unit: &'static str, limit: f64) {
        let bar = (format!("<= {limit} {unit}"), value <= limit);
        self.push(name, value, unit, None, None, Some(bar));
    }

    /// A figure that must reach `limit`.
    pub fn at_least(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        limit: f64,
    ) {
        let bar = (format!(">= {limit} {unit}"), value >= limit);
        self.push(name, value, unit, None, None, Some(bar));
    }

    /// A figure that may be at most `limit` times the peer's.
    pub fn at_most_times(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        peer: &str,
        peer_value: f64,
        limit: f64,
    ) {
        let ratio = value / peer_value;
        let bar = (format!("<= {limit}x"), ratio <= limit);
        self.push(name, value, unit, Some(peer.to_owned()), Some(ratio), Some(bar));
    }

    /// A cost of which the peer's must be at least `factor` times as much.
    pub fn cheaper_by(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        peer: &str,
        peer_value: f64,
        factor: f64,
    ) {
        let ratio = peer_value / value;
        let bar = (format!("peer >= {factor}x"), ratio >= factor);
        self.push(name, value, unit, Some(peer.to_owned()), Some(ratio), Some(bar));
    }

    fn push(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        peer: Option<String>,
        ratio: Option<f64>,
        bar: Option<(String, bool)>,
    ) {
        let (bar, holds) = bar.map_or((None, None), |(bar, holds)| (Some(bar), Some(holds)));
        self.0.push(Row { name: name.into(), value, unit, peer, ratio, bar, holds });
    }

    /// Prints the table and writes it to `target/bench/NAME.json`.
    pub fn finish(&self, name: &str) -> io::Result<()> {
        println!(
            "\n| {name} | value | peer | ratio | bar | holds |\n| --- | ---: | --- | ---: | --- | --- |"
        );
        for row in &self.0 {
            let ratio = row.ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
            let holds = row.holds.map_or("", |holds| if holds { "yes" } else { "NO" });
            println!(
                "| {} | {:.2} {} | {} | {ratio} | {} | {holds} |",
                row.name,
                row.value,
                row.unit,
                row.peer.as_deref().unwrap_or_default(),
                row.bar.as_deref().unwrap_or_default(),
            );
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("{name}.json")), serde_json::to_string_pretty(&self.0)?)
    }
}

//! What was checked, and what came of it.

use super::{
    Finding, Severity,
    bounds::Bounds,
    number::{Kind, Number},
};

/// Which numbers were checked, and what was found.
#[derive(Debug)]
pub(super) struct Ledger {
    checked: Vec<bool>,
    pub(super) findings: Vec<Finding>,
}

/// A number that follows from others.
pub(super) struct Derived<'a> {
    pub(super) check: &'static str,
    pub(super) said: Number,
    pub(super) right: Bounds,
    pub(super) formula: String,
    pub(super) from: &'a [Number],
}

impl Ledger {
    pub(super) fn new(numbers: usize) -> Self {
        Self { checked: vec![false; numbers], findings: Vec::new() }
    }

    pub(super) fn mark(&mut self, numbers: &[Number]) {
        for number in numbers {
            self.checked[number.id] = true;
        }
    }

    pub(super) fn checked(&self) -> usize {
        self.checked.iter().filter(|checked| **checked).count()
    }

    /// Whether a number is what follows from the others; if not, it is wrong.
    pub(super) fn derive(&mut self, derived: Derived<'_>) -> bool {
        let Derived { check, said, right, formula, from } = derived;
        self.mark(from);
        self.mark(&[said]);
        let holds = said.counted().meets(right);
        if !holds {
            let value = said.like(right.value);
            let tens = if said.kind() == Kind::Times { off_by_tens(said, right) } else { "" };
            self.wrong(check, said.line, format!("{said} should be {value}{tens}"), formula);
        }
        holds
    }

    pub(super) fn wrong(
        &mut self,
        check: &'static str,
        line: usize,
        message: String,
        formula: String,
    ) {
        self.push(Finding { severity: Severity::Wrong, check, line, message, formula });
    }

    pub(super) fn note(
        &mut self,
        check: &'static str,
        line: usize,
        message: String,
        formula: String,
    ) {
        self.push(Finding { severity: Severity::Note, check, line, message, formula });
    }

    fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}

fn off_by_tens(said: Number, right: Bounds) -> &'static str {
    let is_off = |factor: f64| said.bounds().scaled(factor).meets(right);
    match () {
        () if is_off(0.1) || is_off(10.0) => ", off by ten",
        () if is_off(0.01) || is_off(100.0) => ", off by a hundred",
        () => "",
    }
}

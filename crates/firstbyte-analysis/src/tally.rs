//! What became of each file and of each line: parsed + skipped = total.

use std::{fmt, ops::AddAssign};

use firstbyte_core::Skipped;

use crate::{counted, entry::Entry};

/// What could not be read, and why.
#[derive(Debug, Default)]
pub(crate) struct Unreadable {
    /// Inputs that count as far as they go.
    pub(crate) broken: Vec<String>,
    /// Inputs of which nothing could be read.
    pub(crate) unread: Vec<String>,
}

/// Why a line is no part of the analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// No record of firstbyte is in it, be it empty or somebody else's.
    NoRecord,
    /// A JSON object that is none of firstbyte's, or is torn.
    BadJson,
    /// A JSON object of a version of the schema that this one does not know.
    OtherVersion,
    /// Longer than 1 MiB.
    TooLong,
    /// One of a trace beyond those that are kept.
    OverLimit,
    /// The same event once more, from another file or another handler of the same logger.
    Duplicate,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 6] = [
        Self::NoRecord,
        Self::BadJson,
        Self::OtherVersion,
        Self::TooLong,
        Self::OverLimit,
        Self::Duplicate,
    ];

    /// The reason as a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoRecord => "no record",
            Self::BadJson => "other JSON",
            Self::OtherVersion => "JSON of another version",
            Self::TooLong => "too long",
            Self::OverLimit => "over the limit of traces",
            Self::Duplicate => "duplicate",
        }
    }
}

impl From<Skipped> for Reason {
    fn from(why: Skipped) -> Self {
        match why {
            Skipped::BadJson => Self::BadJson,
            Skipped::OtherVersion => Self::OtherVersion,
            _ => Self::NoRecord,
        }
    }
}

/// The balance of the lines that were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Lines that are part of the analysis, those of unknown records included.
    pub parsed: u64,
    /// Of them: records that this version does not know.
    pub unknown: u64,
    /// Of them: lines with a value that is none, such as `NaN` for a duration; it is taken as unknown.
    pub misfits: u64,
    /// Records without a line feed, at the end of a file, of which the last word is not taken.
    pub torn: u64,
    skipped: [u64; Reason::ALL.len()],
}

impl Tally {
    /// All lines.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.parsed + self.skipped()
    }

    /// Lines that are no part of the analysis.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped.iter().sum()
    }

    /// Those of one reason.
    #[must_use]
    pub const fn skipped_by(&self, reason: Reason) -> u64 {
        self.skipped[reason as usize]
    }

    pub(crate) fn skip(&mut self, reason: Reason, lines: u64) {
        self.skipped[reason as usize] += lines;
    }

    /// So many of the lines that were parsed repeat others.
    pub(crate) fn repeat(&mut self, lines: u64) {
        self.parsed -= lines;
        self.skipped[Reason::Duplicate as usize] += lines;
    }

    /// Counts a line of the schema.
    pub(crate) fn take(&mut self, entry: &Entry<'_>) {
        self.parsed += 1;
        self.misfits += u64::from(entry.misfits > 0);
    }

    pub(crate) fn unknown(&mut self) {
        self.parsed += 1;
        self.unknown += 1;
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.parsed += other.parsed;
        self.unknown += other.unknown;
        self.misfits += other.misfits;
        self.torn += other.torn;
        for (skipped, more) in self.skipped.iter_mut().zip(other.skipped) {
            *skipped += more;
        }
    }
}

/// One sentence with the reasons that there are.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (total, skipped) = (counted(self.total(), "line"), self.skipped());
        write!(f, "{total} = {} parsed + {skipped} skipped", self.parsed)?;
        let reasons = Reason::ALL.map(|reason| (reason.as_str(), self.skipped_by(reason)));
        let there = reasons.iter().filter(|(_, count)| *count > 0);
        for (n, (reason, count)) in there.enumerate() {
            write!(f, "{}{reason} {count}", if n == 0 { " (" } else { ", " })?;
        }
        if self.skipped() > 0 {
            write!(f, ")")?;
        }
        Ok(())
    }
}

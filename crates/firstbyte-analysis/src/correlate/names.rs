//! Words that come again and again, each stored once.

use std::{collections::HashMap, num::NonZeroU16};

use foldhash::fast::RandomState;

use crate::entry::Word;

/// The most different words that are kept; further ones are one word, `(other)`.
const MOST: usize = u16::MAX as usize - 1;

/// A longer word is cut: nobody reads it, and they are many.
const LONGEST: usize = 256;

/// So many of the latest words are found sooner.
const RECENT: usize = 8;

/// Words that mean something to whoever joins and diagnoses: there is room for them whatever else there is.
const ALWAYS: [&str; 10] = [
    "ok",
    "error",
    "early_drop",
    "panic",
    "cancelled",
    "failed",
    "unknown",
    "not_sent",
    "connect",
    "wait",
];

/// A word of a [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(NonZeroU16);

impl Name {
    pub(super) const OTHER: Self = Self(NonZeroU16::MIN);
}

/// Operations, targets, paths, outcomes.
#[derive(Debug)]
pub struct Names {
    words: Vec<Box<str>>,
    places: HashMap<Box<str>, Name, RandomState>,
    recent: Recent,
    recent_urls: Recent,
}

/// Words as they stood in lines, by their lengths: with one operation and one server, that is enough.
type Recent = [(Box<[u8]>, Name); RECENT];

fn none_recent() -> Recent {
    std::array::from_fn(|_| (Box::default(), Name::OTHER))
}

impl Names {
    pub(super) fn new() -> Self {
        let mut names = Self {
            words: vec!["(other)".into()],
            places: HashMap::default(),
            recent: none_recent(),
            recent_urls: none_recent(),
        };
        for word in ALWAYS {
            names.keep(word);
        }
        names
    }

    /// Whether further words are `(other)`.
    pub(crate) fn is_full(&self) -> bool {
        self.words.len() >= MOST
    }

    /// The name of a word.
    #[inline]
    pub(super) fn take(&mut self, word: Word<'_>) -> Name {
        if let Some(name) = find(&self.recent, word) {
            return name;
        }
        let name = self.intern(&word.text());
        remember(&mut self.recent, word, name);
        name
    }

    /// The name of the path of a URL.
    #[inline]
    pub(super) fn path_of(&mut self, url: Word<'_>) -> Name {
        if let Some(name) = find(&self.recent_urls, url) {
            return name;
        }
        let name = self.intern(path_of(&url.text()));
        remember(&mut self.recent_urls, url, name);
        name
    }

    pub(super) fn intern(&mut self, word: &str) -> Name {
        if word.len() > LONGEST {
            // Words that differ stay different as far as their beginnings and lengths do.
            let end = (0..=LONGEST).rev().find(|at| word.is_char_boundary(*at)).unwrap_or(0);
            return self.keep(&format!("{}... ({} bytes)", &word[..end], word.len()));
        }
        self.keep(word)
    }

    fn keep(&mut self, word: &str) -> Name {
        if let Some(name) = self.places.get(word) {
            return *name;
        }
        if self.words.len() >= MOST {
            return Name::OTHER;
        }
        self.words.push(word.into());
        let number = u16::try_from(self.words.len()).ok().and_then(NonZeroU16::new);
        let name = number.map_or(Name::OTHER, Name);
        self.places.insert(word.into(), name);
        name
    }

    /// The word.
    #[must_use]
    pub fn get(&self, name: Name) -> &str {
        &self.words[name.0.get() as usize - 1]
    }
}

#[inline]
fn find(recent: &Recent, word: Word<'_>) -> Option<Name> {
    let bytes = word.plain()?;
    let (known, name) = &recent[bytes.len() % RECENT];
    (**known == *bytes && !bytes.is_empty()).then_some(*name)
}

fn remember(recent: &mut Recent, word: Word<'_>, name: Name) {
    if let Some(bytes) = word.plain().filter(|bytes| bytes.len() <= LONGEST) {
        recent[bytes.len() % RECENT] = (bytes.into(), name);
    }
}

fn path_of(url: &str) -> &str {
    let rest = url.split_once(':').and_then(|(_, rest)| rest.strip_prefix("//")).unwrap_or(url);
    let path = rest.find('/').map_or("/", |slash| &rest[slash..]);
    path.split(['?', '#']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use crate::{
        Log,
        measure::{GroupBy, Stats, Window},
    };

    #[test]
    fn too_many_words_are_one_and_no_clock_is_shared_by_it() {
        let many: String = (0..70_000)
            .map(|n| format!("[weights][{n:x}] client.done wall_ms=1.0 op=o{n}\n"))
            .collect();
        let start = |boot| {
            format!("[firstbyte] process.start pid=1 boot={boot} host=h version=0 t=1.0 unix=2.0\n")
        };
        let client = "[weights][zz] client.send url=http://h/x t=10.0 op=late\n\
                      [weights][zz] client.fail wall_ms=1.0 outcome=not_sent error=e phase=connect\n";
        let server = "[weights][zz] server.recv path=/x t=15.0\n";
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b", "c"].map(|name| folder.path().join(name));
        let texts = [many, start("BBB") + client, start("CCC") + server];
        for (path, text) in paths.iter().zip(texts) {
            std::fs::write(path, text).unwrap();
        }
        let log = Log::read(&paths, &crate::Options::default()).unwrap();
        assert!(log.has_other_words() && !log.share_a_clock(1, 2));
        assert!(crate::notices(&log).iter().any(|notice| notice.contains("(other)")));
        let failed = log.calls().find(|call| call.id() == "zz").unwrap();
        assert!(failed.ending().contains("failed in connect: (other), outcome not_sent"));
    }

    #[test]
    fn a_long_word_is_cut_and_says_so() {
        let lines: String = ["a", "b"]
            .iter()
            .map(|letter| {
                let op = letter.repeat(100_000);
                format!("[weights][{letter}] client.done wall_ms=1.0 op={op}\n")
            })
            .collect();
        let log = Log::from_bytes(lines.as_bytes());
        let stats = Stats::of(&log, GroupBy::Op, Window::default());
        let names: Vec<_> = stats.groups.iter().map(|group| group.name.as_str()).collect();
        assert!(names.len() == 2 && names.iter().all(|name| name.ends_with("... (100000 bytes)")));
        assert!(names.iter().all(|name| name.len() < 300));
    }
}

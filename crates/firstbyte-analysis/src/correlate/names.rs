//! Words that come again and again, each stored once.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// The most different words that are kept; further ones are one word, `(other)`.
const MOST: usize = u16::MAX as usize;

/// A word of a [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(u16);

/// Operations, targets, paths, outcomes.
#[derive(Debug)]
pub struct Names {
    words: Vec<Box<str>>,
    places: HashMap<Box<str>, Name, RandomState>,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { words: vec!["(other)".into()], places: HashMap::default() }
    }

    pub(super) fn intern(&mut self, word: &str) -> Name {
        if let Some(name) = self.places.get(word) {
            return *name;
        }
        if self.words.len() >= MOST {
            return Name(0);
        }
        let name = Name(self.words.len() as u16);
        self.words.push(word.into());
        self.places.insert(word.into(), name);
        name
    }

    /// The word.
    #[must_use]
    pub fn get(&self, name: Name) -> &str {
        &self.words[name.0 as usize]
    }
}

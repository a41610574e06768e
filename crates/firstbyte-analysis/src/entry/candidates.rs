//! Lines that may have a record, among many that have none.

use memchr::memmem;

use super::{JSON, OTHER_JSON, quick::after_escape};

/// A line that needs a closer look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Where it begins.
    pub(crate) line: usize,
    /// Where it ends, without its line feed.
    pub(crate) end: usize,
    /// Where `[`, a tag and `]` are, if no record can begin before.
    pub(crate) tag: Option<usize>,
}

/// Every line that may have a record. What has neither a bracket nor a brace nor a colour is not even cut into lines.
pub(crate) fn candidates(bytes: &[u8]) -> impl Iterator<Item = Candidate> {
    let (mut line, mut from) = (0, 0);
    // Where an object of others begins behind something: it hides what is in it.
    let mut hidden = None;
    std::iter::from_fn(move || {
        loop {
            let at = from + memchr::memchr3(b'[', b'{', 0x1b, bytes.get(from..)?)?;
            let may_be = match bytes[at] {
                b'[' => is_tag(&bytes[at + 1..]),
                b'{' if is_object(bytes, at) => true,
                b'{' if bytes[at..].starts_with(OTHER_JSON) => {
                    hidden = Some(at);
                    false
                }
                b'{' => hidden.is_some() && bytes.get(at + 1) == Some(&b'\\'),
                _ => true,
            };
            if !may_be {
                from = at + 1;
                continue;
            }
            let start = memchr::memrchr(b'\n', &bytes[line..at]).map_or(line, |end| line + end + 1);
            let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
            (line, from) = (end + 1, end + 1);
            let tag = match bytes[at] {
                b'[' => Some(at).filter(|_| hidden.is_none_or(|hidden| hidden < start)),
                b'{' => None,
                _ => tag_among_colours(&bytes[start..end]).map(|tag| start + tag),
            };
            return Some(Candidate { line: start, end, tag });
        }
    })
}

/// Whether a line of either form may be in an object of others.
pub(super) fn may_have_line(object: &[u8]) -> bool {
    let mut brackets = memchr::memchr_iter(b'[', object);
    brackets.any(|at| is_tag(&object[at + 1..])) || memmem::find(object, b"{\\").is_some()
}

/// Whether a tag and its closing bracket are here.
#[inline]
fn is_tag(bytes: &[u8]) -> bool {
    let is_in_tag = |byte: &&u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    let tag = bytes.iter().take_while(is_in_tag).count();
    tag > 0 && bytes.get(tag) == Some(&b']')
}

/// Whether the brace here begins an object of JSON: one of firstbyte's anywhere, any other in front of a line.
fn is_object(bytes: &[u8], at: usize) -> bool {
    let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | 0x0c);
    let before = || bytes[..at].iter().rev().find(|byte| !is_space(byte));
    bytes[at..].starts_with(JSON) || before().is_none_or(|byte| *byte == b'\n')
}

/// The first tag in a line that has colours, which may hide one.
fn tag_among_colours(line: &[u8]) -> Option<usize> {
    let (mut at, mut has_bracket, mut has_escape) = (0, false, false);
    loop {
        at += memchr::memchr2(b'[', 0x1b, line.get(at..)?)?;
        if line[at] == 0x1b {
            has_escape = true;
            at = after_escape(line, at);
        } else if is_tag(&line[at + 1..]) {
            // A colour in the middle of a tag hides it, and an object what is in it.
            let is_hidden =
                has_bracket && has_escape || memmem::find(&line[..at], OTHER_JSON).is_some();
            return (!is_hidden).then_some(at);
        } else {
            has_bracket = true;
            at += 1;
        }
    }
}

//! Lines that may have a record, among many that have none.

use super::{OTHER_JSON, quick::after_escape};

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
    std::iter::from_fn(move || {
        loop {
            let at = from + memchr::memchr3(b'[', b'{', 0x1b, bytes.get(from..)?)?;
            let may_be = match bytes[at] {
                b'[' => is_tag(&bytes[at + 1..]),
                b'{' => is_object(bytes, at),
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
                b'[' => Some(at),
                b'{' => None,
                _ => tag_among_colours(&bytes[start..end]).map(|tag| start + tag),
            };
            return Some(Candidate { line: start, end, tag });
        }
    })
}

/// Whether a tag and its closing bracket are here.
#[inline]
fn is_tag(bytes: &[u8]) -> bool {
    let is_in_tag = |byte: &&u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    let tag = bytes.iter().take_while(is_in_tag).count();
    tag > 0 && bytes.get(tag) == Some(&b']')
}

/// Whether the brace here may begin an object of JSON: with a member anywhere, or else in front of a line.
fn is_object(bytes: &[u8], at: usize) -> bool {
    let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | 0x0c);
    let before = || bytes[..at].iter().rev().find(|byte| !is_space(byte));
    bytes[at..].starts_with(OTHER_JSON) || before().is_none_or(|byte| *byte == b'\n')
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
            // A colour in the middle of a tag hides it.
            return (!has_bracket || !has_escape).then_some(at);
        } else {
            has_bracket = true;
            at += 1;
        }
    }
}

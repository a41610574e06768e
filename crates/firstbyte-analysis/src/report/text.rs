//! Texts of a log, made fit to be shown.

/// Characters of a name, such as an operation or a file, that are shown.
const MOST_OF_A_NAME: usize = 100;
/// Characters of a sentence that are shown.
const MOST_OF_A_SENTENCE: usize = 400;

/// A name of at most 100 characters; of a longer one the begin, and its full length.
pub(super) fn cut_name(text: &str) -> String {
    cut(text, MOST_OF_A_NAME)
}

/// A sentence of at most 400 characters, cut in the same way.
pub(super) fn cut_sentence(text: &str) -> String {
    cut(text, MOST_OF_A_SENTENCE)
}

fn cut(text: &str, most: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(most) else { return text.to_owned() };
    format!("{}... ({} characters)", &text[..end], text.chars().count())
}

/// A text whose every character can be seen: what controls, turns the direction of writing, has no width or is no
/// character stands there by its number.
///
/// ```
/// use firstbyte_analysis::report::visible;
///
/// assert_eq!(visible("a\x1b[2J"), "a⟨U+001B⟩[2J");
/// assert_eq!(visible("a\u{202e}b"), "a⟨U+202E⟩b");
/// ```
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unseen(c) {
            shown.push_str(&format!("⟨U+{:04X}⟩", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Whether a character controls, turns the direction of writing, has no width or is none.
#[must_use]
pub fn is_unseen(c: char) -> bool {
    let code = c as u32;
    c.is_control()
        || matches!(
            code,
            0xad | 0x61c
                | 0x180e
                | 0x200b..=0x200f
                | 0x2028..=0x202e
                | 0x2060..=0x206f
                | 0xfdd0..=0xfdef
                | 0xfeff
                | 0xfff9..=0xfffb
                | 0xe0000..=0xe007f
        )
        || code & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_and_tells_its_length() {
        assert_eq!(cut_name("pause"), "pause");
        let cut = cut_name(&"\u{e9}".repeat(5000));
        assert_eq!(cut.strip_suffix("... (5000 characters)"), Some(&*"\u{e9}".repeat(100)));
    }
}

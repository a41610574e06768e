//! Texts of a log, made fit to be shown.

/// Characters of a text that are shown.
const MOST: usize = 300;

/// A text of at most 300 characters; of a longer one the begin, and its full length.
///
/// ```
/// use firstbyte_analysis::report::cut;
///
/// assert_eq!(cut("pause"), "pause");
/// assert!(cut(&"x".repeat(5000)).ends_with("xxx... (5000 characters)"));
/// ```
#[must_use]
pub fn cut(text: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(MOST) else { return text.to_owned() };
    format!("{}... ({} characters)", &text[..end], text.chars().count())
}

/// A text whose every character can be seen: control characters become their pictures, what turns the direction of
/// writing or has no width its number.
///
/// ```
/// use firstbyte_analysis::report::visible;
///
/// assert_eq!(visible("a\x1b[2J"), "a␛[2J");
/// assert_eq!(visible("a\u{202e}b"), "a⟨U+202E⟩b");
/// ```
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match u32::from(c) {
            // The block of control pictures is in the order of the characters.
            code @ 0..=0x1f => shown.extend(char::from_u32(0x2400 + code)),
            0x7f => shown.push('\u{2421}'),
            code if is_unseen(code) => shown.push_str(&format!("⟨U+{code:04X}⟩")),
            _ => shown.push(c),
        }
    }
    shown
}

/// Controls of the second block, of direction, of lines; without width; no characters at all.
const fn is_unseen(code: u32) -> bool {
    matches!(
        code,
        0x80..=0x9f
            | 0xad
            | 0x61c
            | 0x180e
            | 0x200b..=0x200f
            | 0x2028..=0x202e
            | 0x2060..=0x206f
            | 0xfeff
            | 0xfdd0..=0xfdef
            | 0xfff9..=0xfffb
            | 0xe0000..=0xe007f
    ) || code & 0xfffe == 0xfffe
}

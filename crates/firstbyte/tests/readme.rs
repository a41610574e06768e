//! What the README shows is what is compiled: its snippets are the examples of this crate's documentation.

const README: &str = include_str!("../../../README.md");
const CRATE: &str = include_str!("../src/lib.rs");

/// Code blocks: what stands between the lines `begin` and `end`.
fn blocks<'a>(text: &'a str, begin: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(begin).skip(1).filter_map(move |rest| Some(rest.split_once(end)?.0))
}

/// An example as it is shown: without the lines that only make a program of it.
fn shown(example: &str) -> String {
    let lines = example.lines().map(|line| line.trim_start_matches("//!"));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
    let shown: Vec<_> = lines.filter(|line| !line.starts_with("# ")).collect();
    shown.join("\n").trim().to_owned()
}

#[test]
fn the_snippets_of_the_readme_are_the_examples_of_the_crate() {
    let examples: Vec<_> =
        blocks(CRATE, "doc = \"```ignore\")]\n", "//! ```\n").map(shown).collect();
    let snippets: Vec<_> = blocks(README, "```rust\n", "```\n").map(str::trim).collect();
    assert!(!examples.is_empty());
    assert_eq!(snippets, examples);
}

//! Reads a page as a browser's tokenizer does, and holds it to what a report may have: for tests, and for the fuzzer.

use std::{cell::RefCell, collections::HashSet};

use html5ever::{
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer,
        states::{RawKind, Rawtext, ScriptData},
    },
};

/// Every element that a report has.
const ELEMENTS: [&str; 49] = [
    "a",
    "article",
    "bdi",
    "body",
    "circle",
    "code",
    "dd",
    "defs",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "g",
    "h1",
    "h2",
    "h3",
    "head",
    "header",
    "html",
    "li",
    "line",
    "main",
    "meta",
    "nav",
    "ol",
    "p",
    "path",
    "pattern",
    "polyline",
    "rect",
    "script",
    "section",
    "small",
    "span",
    "strong",
    "style",
    "svg",
    "table",
    "tbody",
    "td",
    "text",
    "tfoot",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
];

/// What a page has.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// All text, and the values of attributes, one after the other.
    pub(crate) text: String,
    /// The content of its style elements.
    pub(crate) styles: Vec<String>,
    /// The content of its script elements.
    pub(crate) scripts: Vec<String>,
    /// The content of its policy.
    pub(crate) policy: String,
}

/// Reads a page.
///
/// # Panics
///
/// If it has an element or an attribute that no report has, a link out of itself, or elements that are not closed.
#[must_use]
pub(crate) fn audit(html: &str) -> Page {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    let tokenizer = Tokenizer::new(Reader::default(), Default::default());
    _ = tokenizer.feed(&input);
    tokenizer.end();
    let reader = tokenizer.sink;
    assert!(reader.open.borrow().is_empty(), "not closed: {:?}", reader.open.borrow());
    let ids = reader.ids.borrow();
    for link in reader.links.borrow().iter() {
        assert!(link.strip_prefix('#').is_some_and(|id| ids.contains(id)), "a link to {link}");
    }
    reader.page.into_inner()
}

#[derive(Default)]
struct Reader {
    page: RefCell<Page>,
    open: RefCell<Vec<String>>,
    ids: RefCell<HashSet<String>>,
    links: RefCell<Vec<String>>,
}

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => return self.start(&tag),
            Token::TagToken(tag) => {
                let open = self.open.borrow_mut().pop();
                assert_eq!(open.as_deref(), Some(&*tag.name), "the wrong end");
            }
            Token::CharacterTokens(text) => self.text(&text),
            Token::CommentToken(text) => panic!("a comment: {text}"),
            Token::NullCharacterToken => panic!("a NUL"),
            Token::ParseError(error) => panic!("{error}"),
            Token::EOFToken | Token::DoctypeToken(_) => {}
        }
        TokenSinkResult::Continue
    }
}

impl Reader {
    fn start(&self, tag: &Tag) -> TokenSinkResult<()> {
        let name = &*tag.name;
        assert!(ELEMENTS.contains(&name), "an element <{name}>");
        let mut page = self.page.borrow_mut();
        for attribute in &tag.attrs {
            let (name, value) = (&*attribute.name.local, &*attribute.value);
            assert!(
                !name.starts_with("on") && name != "style" && name != "src",
                "an attribute {name}"
            );
            match name {
                "href" => self.links.borrow_mut().push(value.to_owned()),
                "id" => assert!(self.ids.borrow_mut().insert(value.to_owned()), "twice: {value}"),
                "content" if value.contains("default-src") => page.policy.push_str(value),
                _ => page.text.push_str(value),
            }
        }
        if !tag.self_closing && name != "meta" {
            self.open.borrow_mut().push(name.to_owned());
        }
        let raw = |kind: RawKind| TokenSinkResult::RawData(kind);
        match name {
            "style" => {
                page.styles.push(String::new());
                raw(Rawtext)
            }
            "script" => {
                page.scripts.push(String::new());
                raw(ScriptData)
            }
            _ => TokenSinkResult::Continue,
        }
    }

    fn text(&self, text: &str) {
        let mut page = self.page.borrow_mut();
        let open = self.open.borrow();
        let into = match open.last().map(String::as_str) {
            Some("style") => page.styles.last_mut(),
            Some("script") => page.scripts.last_mut(),
            _ => Some(&mut page.text),
        };
        if let Some(into) = into {
            into.push_str(text);
        }
    }
}

//! HTML that is well formed, and in which a text is never anything but text.

use std::fmt::{self, Display, Write};

use crate::report::visible;

/// A value of an attribute, and its name.
pub(super) type Attribute<'a> = (&'static str, &'a dyn Display);

/// A page in the making.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// Begins an element.
    pub(super) fn open(&mut self, name: &'static str, attributes: &[Attribute<'_>]) {
        self.0.push('<');
        self.0.push_str(name);
        for (name, value) in attributes {
            // Writing to a string cannot fail.
            _ = write!(self.0, " {name}=\"");
            _ = write!(Escaping(&mut self.0), "{value}");
            self.0.push('"');
        }
        self.0.push('>');
    }

    /// Ends an element.
    pub(super) fn close(&mut self, name: &'static str) {
        _ = write!(self.0, "</{name}>");
    }

    /// An element without content; of HTML only one that never has any.
    pub(super) fn empty(&mut self, name: &'static str, attributes: &[Attribute<'_>]) {
        self.open(name, attributes);
        self.0.insert(self.0.len() - 1, '/');
    }

    /// Text, whosever it is.
    pub(super) fn text(&mut self, text: impl Display) {
        _ = write!(Escaping(&mut self.0), "{text}");
    }

    /// An element with text.
    pub(super) fn element(
        &mut self,
        name: &'static str,
        attributes: &[Attribute<'_>],
        text: impl Display,
    ) {
        self.open(name, attributes);
        self.text(text);
        self.close(name);
    }

    /// Text whose direction of writing is its own matter: names that a log tells.
    pub(super) fn name(&mut self, text: &str) {
        self.element("bdi", &[], text);
    }

    /// Something of ours that is HTML already.
    pub(super) fn ours(&mut self, html: &'static str) {
        self.0.push_str(html);
    }

    /// An element whose content is a file of ours, to the letter: its hash is in the policy.
    pub(super) fn file(&mut self, name: &'static str, content: &'static str) {
        self.open(name, &[]);
        self.0.push_str(content);
        self.close(name);
    }

    /// A paragraph, if there is something to say.
    pub(super) fn note(&mut self, sentence: Option<String>) {
        if let Some(sentence) = sentence {
            self.element("p", &[("class", &"note")], sentence);
        }
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Escapes for elements, and for attributes in double quotes.
struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in visible(text).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                _ => self.0.push(c),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{audit::audit, tests::NASTY};

    #[test]
    fn a_text_comes_back_from_an_element_and_from_an_attribute() {
        for nasty in NASTY {
            let mut page = Page::default();
            page.element("p", &[("class", &nasty)], nasty);
            page.empty("rect", &[("class", &nasty)]);
            let nasty = visible(nasty);
            assert_eq!(audit(&page.finish()).text, [nasty.clone(), nasty.clone(), nasty].concat());
        }
    }
}

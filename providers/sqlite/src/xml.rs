//! Texts of the type `xml`: kept as they are, if PostgreSQL takes them with `xmloption = content`.

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use truststream_kernel::{Error, ErrorKind, Result};

/// Refuses what is not well-formed: elements and text in any number, or a document that begins with its type
/// and so has one root. As in PostgreSQL prefixes need no declaration, and what a document type declares is not
/// looked at.
///
/// # Errors
/// `invalid XML content` (2200N) with what is wrong as details.
pub(crate) fn check(text: &str) -> Result<()> {
    let fault = |details: String| {
        Error::new(ErrorKind::InvalidInput, "2200N", "invalid XML content").with_details(details)
    };
    Seen::default().all(text).map_err(fault)
}

/// What there was up to where a text was read.
#[derive(Default)]
struct Seen {
    /// A document type.
    document: bool,
    /// Something outside of all elements that isn't blank, an element among it.
    content: bool,
    /// How many elements are open.
    depth: usize,
}

type Told = Result<(), String>;

impl Seen {
    fn all(&mut self, text: &str) -> Told {
        if let Some(odd) = text.chars().find(|one| !is_character(*one)) {
            return Err(format!("the character U+{:04X} is not allowed", u32::from(odd)));
        }
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        loop {
            let at_start = reader.buffer_position() == 0;
            match reader.read_event().map_err(|error| error.to_string())? {
                Event::Eof => break,
                Event::Decl(declaration) if at_start => {
                    declaration.version().map_err(|error| error.to_string())?;
                }
                Event::Decl(_) => return Err("a declaration is allowed only at the start".into()),
                Event::DocType(_) if !self.content && !self.document => self.document = true,
                Event::DocType(_) => return Err("a document type is allowed only before its root".into()),
                Event::Start(tag) => {
                    self.element(&tag)?;
                    self.depth += 1;
                }
                Event::Empty(tag) => self.element(&tag)?,
                Event::End(_) => self.depth = self.depth.saturating_sub(1),
                Event::Text(text) => self.text(&text)?,
                Event::CData(_) => self.outside()?,
                Event::GeneralRef(reference) => {
                    self.reference(&reference)?;
                    self.outside()?;
                }
                Event::PI(instruction) if instruction.target().eq_ignore_ascii_case("xml") => {
                    return Err("no instruction is called \"xml\"".into());
                }
                Event::PI(_) | Event::Comment(_) => {}
            }
        }
        match self.depth {
            0 if self.document && !self.content => Err("the root is missing".into()),
            0 => Ok(()),
            _ => Err("an element is not closed".into()),
        }
    }

    fn element(&mut self, tag: &BytesStart<'_>) -> Told {
        if self.depth == 0 {
            if self.document && self.content {
                return Err("there is more than one root".into());
            }
            self.content = true;
        }
        name(tag.name().as_ref())?;
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            name(attribute.key.as_ref())?;
            if attribute.value.contains('<') {
                return Err("\"<\" in the value of an attribute is written as \"&lt;\"".into());
            }
            for part in attribute.value.split('&').skip(1) {
                let (named, _) = part.split_once(';').ok_or("\"&\" is written as \"&amp;\"")?;
                self.reference(named)?;
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Told {
        if text.contains("]]>") {
            return Err("\"]]>\" outside of CDATA is written as \"]]&gt;\"".into());
        }
        let blank = text.trim_matches([' ', '\t', '\r', '\n']).is_empty();
        if blank { Ok(()) } else { self.outside() }
    }

    /// Takes text, which documents have only within their root.
    fn outside(&mut self) -> Told {
        if self.document && self.depth == 0 {
            return Err("a document has text only within its root".into());
        }
        self.content |= self.depth == 0;
        Ok(())
    }

    /// `lt` or `#38`, without the marks around it.
    fn reference(&self, named: &str) -> Told {
        let known = match named.strip_prefix('#') {
            Some(number) => {
                let code = match number.strip_prefix('x') {
                    Some(digits) => u32::from_str_radix(digits, 16),
                    None => number.parse(),
                };
                code.ok().and_then(char::from_u32).is_some_and(is_character)
            }
            None => self.document || matches!(named, "lt" | "gt" | "amp" | "apos" | "quot"),
        };
        if known { Ok(()) } else { Err(format!("the entity \"{named}\" is not defined")) }
    }
}

/// Refuses what is no name; beyond ASCII all is taken.
fn name(name: &str) -> Told {
    let first = |one: char| !one.is_ascii() || one.is_ascii_alphabetic() || matches!(one, '_' | ':');
    let later = |one: char| first(one) || one.is_ascii_digit() || matches!(one, '-' | '.');
    let is_name = name.starts_with(first) && name.chars().all(later);
    if is_name { Ok(()) } else { Err(format!("\"{name}\" is no name")) }
}

/// Whether XML may have a character.
fn is_character(one: char) -> bool {
    matches!(one, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::check;

    /// As PostgreSQL 15 takes and refuses them.
    #[test]
    fn what_is_well_formed_is_told_from_what_is_not() {
        for text in [
            "",
            "text &amp; more &#38;&#x26;",
            "<a/><b x='1' y=\"&lt;>\">c</b>tail",
            "<a><!-- one --><?do it?><![CDATA[<&]]></a>",
            "<p:a p:b='&#x10FFFF;'/>",
            "<é/>",
            " <a\n></a >",
            "<?xml version='1.0' encoding='UTF-8'?>\n<a/>",
            "<?xml version='1.1'?><a/>",
            "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>",
            "<!-- one --><!DOCTYPE a><a/>",
        ] {
            assert!(check(text).is_ok(), "{text}");
        }
        for text in [
            "<a>",
            "</a>",
            "<a></b>",
            "<a",
            "< a/>",
            "a & b",
            "<a b=1/>",
            "<a b='1' b='2'/>",
            "<a b='<'/>",
            "<a b='&x;'/>",
            "&nbsp;",
            "&#0;",
            "a]]>b",
            "<1/>",
            "<a><!-- -- --></a>",
            "<a/><?xml version='1.0'?>",
            " <?xml version='1.0'?><a/>",
            "<?XML x?>",
            "<?xml encoding='UTF-8'?><a/>",
            "a\u{1}b",
            "<a/><!DOCTYPE a>",
            "<!DOCTYPE a>",
            "<!DOCTYPE a><a/><a/>",
            "<!DOCTYPE a><a/>text",
        ] {
            let error = check(text).expect_err(text);
            assert_eq!((error.code(), error.message()), ("2200N", "invalid XML content"), "{text}");
        }
    }
}

//! The characters of a text in TOML, and where each one stands in the file.

use std::ops::Range;
use std::str::CharIndices;

/// The bytes of a literal, quotes included, that part of its text takes: `part` are bytes of
/// the text. `None` if the literal is no text.
pub(super) fn range(literal: &str, part: &Range<usize>) -> Option<Range<usize>> {
    let (mut start, mut end) = (None, None);
    let mut at = 0;
    let mut after = 0;
    for (position, c, width) in Characters::of(literal)? {
        if start.is_none() && at >= part.start {
            start = Some(position);
        }
        if end.is_none() && at >= part.end {
            end = Some(after);
        }
        at += c.len_utf8();
        after = position + width;
    }
    let start = start.unwrap_or(after);
    Some(start..end.unwrap_or(after).max(start))
}

/// The byte of a literal at which a character of its text stands.
pub(super) fn offset(literal: &str, character: usize) -> Option<usize> {
    let mut after = None;
    let mut characters = Characters::of(literal)?;
    let found = characters
        .by_ref()
        .inspect(|(position, _, width)| after = Some(position + width));
    let found = found.enumerate().find(|(index, _)| *index == character);
    found.map(|(_, (position, ..))| position).or(after)
}

/// Each character of a text, with its position and its width in the literal.
struct Characters<'a> {
    rest: CharIndices<'a>,
    start: usize,
    has_escapes: bool,
}

impl<'a> Characters<'a> {
    fn of(literal: &'a str) -> Option<Self> {
        let quote = literal.chars().next().filter(|c| ['"', '\''].contains(c))?;
        let long = String::from(quote).repeat(3);
        let (start, inner) = match literal.strip_prefix(&long) {
            Some(inner) => {
                // A line break directly after the quotes is not part of the text.
                let begun = inner.strip_prefix("\r\n").or(inner.strip_prefix('\n'));
                let begun = begun.unwrap_or(inner);
                (literal.len() - begun.len(), begun.strip_suffix(&long)?)
            }
            None => (1, literal.get(1..)?.strip_suffix(quote)?),
        };
        Some(Self {
            rest: inner.char_indices(),
            start,
            has_escapes: quote == '"',
        })
    }
}

impl Iterator for Characters<'_> {
    type Item = (usize, char, usize);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (at, c) = self.rest.next()?;
            let position = self.start + at;
            if c != '\\' || !self.has_escapes {
                return Some((position, c, c.len_utf8()));
            }
            let (_, escape) = self.rest.next()?;
            let digits = match escape {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                'n' => return Some((position, '\n', 2)),
                't' => return Some((position, '\t', 2)),
                'r' => return Some((position, '\r', 2)),
                'b' => return Some((position, '\u{8}', 2)),
                'f' => return Some((position, '\u{c}', 2)),
                'e' => return Some((position, '\u{1b}', 2)),
                '"' | '\\' => return Some((position, escape, 2)),
                // A line that ends in a backslash goes on at the next character.
                _ => {
                    let rest = self.rest.as_str();
                    let blank = rest.len() - rest.trim_start().len();
                    let end = self.rest.offset() + blank;
                    while self.rest.offset() < end {
                        self.rest.next();
                    }
                    continue;
                }
            };
            let code = self.rest.as_str().get(..digits)?;
            let c = char::from_u32(u32::from_str_radix(code, 16).ok()?)?;
            for _ in 0..digits {
                self.rest.next();
            }
            return Some((position, c, 2 + digits));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Characters, offset, range};

    /// Each literal, and where its characters stand.
    #[test]
    fn every_form_of_a_text_is_read() {
        for (literal, text) in [
            ("\"a'ö|b\"", "a'ö|b"),
            (r"'a\n'", r"a\n"),
            ("\"\"\"\na\\\n   b\"\"\"", "ab"),
            ("'''\r\na'b'''", "a'b"),
            (r#""\u00e9\x41\U0001F600\"\\\t""#, "éA😀\"\\\t"),
            ("\"\"", ""),
        ] {
            let read: String = Characters::of(literal)
                .unwrap()
                .map(|(_, c, _)| c)
                .collect();
            assert_eq!(read, text, "{literal}");
            let table: toml::Table = toml::from_str(&format!("x = {literal}")).unwrap();
            assert_eq!(table["x"].as_str(), Some(text), "{literal}");
        }
        let literal = r#""\u00e9 | nope""#;
        assert_eq!(offset(literal, 2), Some(8));
        let part = "é | ".len().."é | nope".len();
        assert_eq!(literal.get(range(literal, &part).unwrap()), Some("nope"));
        assert_eq!(range("'ab'", &(2..2)), Some(3..3));
        assert_eq!(range("5", &(0..1)), None);
    }
}

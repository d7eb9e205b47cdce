//! Shows text that others chose: names, messages and values of plugins, users, configs
//! and uploads. Raw, it could move the cursor of a terminal, change the direction of the
//! text around it, forge a line, or fill the screen.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// The most bytes of a foreign text that are shown.
const MAX_BYTES: usize = 2048;

/// A foreign text for a person or a log: on one line, with control and bidirectional
/// characters escaped as in Rust, and cut off after 2 KB.
pub fn shown(text: &str) -> Shown<'_> {
    Shown(text)
}

/// Displays as [`shown`] says.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = MAX_BYTES;
        for c in self.0.chars() {
            let escaped = is_dangerous(c);
            let bytes = if escaped { 8 } else { c.len_utf8() };
            let Some(rest) = left.checked_sub(bytes) else {
                return write!(f, "... ({} bytes)", self.0.len());
            };
            left = rest;
            if escaped {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// A message for a terminal: lines stay lines, and no other control or bidirectional
/// character reaches it. Foreign texts in it must have been [`shown`], as they could
/// forge a line.
pub fn printable(message: &str) -> Cow<'_, str> {
    escaped(message, |c, out| out.extend(c.escape_default()))
}

/// A JSON document with the same value, in which control and bidirectional characters
/// are escaped. JSON itself escapes only those below U+0020.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    // Outside of a JSON document's texts there are no such characters.
    escaped(json, |c, out| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn escaped(text: &str, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let is_dangerous = |c| c != '\n' && is_dangerous(c);
    if !text.contains(is_dangerous) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_dangerous(c) {
            escape(c, &mut out);
        } else {
            out.push(c);
        }
    }
    out.into()
}

/// Controls (C0, DEL, C1), and what changes direction or starts a new line.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{printable, printable_json, shown};

    #[test]
    fn foreign_texts_are_one_harmless_line() {
        for (text, expected) in [
            ("plain, \u{e9} and \u{1f600}", "plain, \u{e9} and \u{1f600}"),
            ("\u{1b}[2J\rroot\n", "\\u{1b}[2J\\rroot\\n"),
            ("\u{7f}\u{9b}", "\\u{7f}\\u{9b}"),
            ("\u{202e}cod.exe\u{2066}", "\\u{202e}cod.exe\\u{2066}"),
            ("a\tb\u{2028}c\0", "a\\tb\\u{2028}c\\u{0}"),
        ] {
            assert_eq!(shown(text).to_string(), expected);
        }
        for text in [
            "x".repeat(1 << 20),
            "\u{1b}".repeat(500_000),
            "\n".repeat(3000),
        ] {
            let shown = shown(&text).to_string();
            assert!(shown.len() < 2100, "{}", shown.len());
            assert!(shown.ends_with(&format!("... ({} bytes)", text.len())));
        }
    }

    #[test]
    fn messages_keep_their_lines() {
        assert_eq!(printable("a\nb\r\u{1b}"), "a\nb\\r\\u{1b}");
        assert_eq!(printable("a\nb"), "a\nb");
    }

    #[test]
    fn json_keeps_its_value() {
        let text = "DEL \u{7f}, CSI \u{9b}, \u{202e}, \u{2069}, \u{1f600} and \n";
        let json = serde_json::to_string(text).unwrap();
        let safe = printable_json(&json);
        assert!(safe.contains("\\u007f") && safe.contains("\\u009b") && safe.contains("\\u202e"));
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        assert!(!safe.contains(|c: char| c.is_control() || c == '\u{202e}'));
    }
}

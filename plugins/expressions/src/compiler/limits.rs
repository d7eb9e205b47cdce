//! The limits of an expression: high enough for any mapping, low enough for the parser's
//! stack.

use super::mistake::Wrong;

const MAX_CHARACTERS: usize = 2000;
const MAX_BRACKETS: usize = 24;
/// The most operators that are nested without brackets: `not`, `-`, `**`, `else`.
const MAX_NESTED: usize = 100;
/// The most levels of an expression's parts in its parts.
pub(super) const MAX_LEVELS: usize = 100;

pub(super) fn check(text: &str) -> Result<(), Wrong> {
    let characters = text.chars().count();
    if characters > MAX_CHARACTERS {
        let text =
            format!("it has {characters} characters; an expression has at most {MAX_CHARACTERS}");
        let help = "give parts of it a name in [settings.let]";
        return Err(Wrong::new(0..0, text).help(help));
    }
    let (mut depth, mut quote, mut is_escaped) = (0_usize, None, false);
    let mut nested = 0;
    let mut word = String::new();
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        if let Some(open) = quote {
            let was_escaped = is_escaped;
            is_escaped = c == '\\' && !was_escaped;
            if c == open && !was_escaped {
                quote = None;
            }
            continue;
        }
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        if matches!(word.as_str(), "not" | "else") {
            nested += 1;
        }
        word.clear();
        match c {
            '"' | '\'' => quote = Some(c),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '-' | '*' => nested += 1,
            _ => {}
        }
        let end = at + c.len_utf8();
        if depth > MAX_BRACKETS {
            let text = format!("more than {MAX_BRACKETS} brackets are open");
            return Err(Wrong::new(at..end, text));
        }
        if nested > MAX_NESTED {
            let text = format!("more than {MAX_NESTED} of `not`, `else`, `-` and `*`");
            return Err(Wrong::new(at..end, text));
        }
    }
    Ok(())
}

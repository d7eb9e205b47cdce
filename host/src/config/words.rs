//! What is wrong with a file's keys and the types of their values, in words for its author.
//! The parser of TOML knows neither what a key is for nor how its value is written.

use toml::de::{DeTable, DeValue};

use super::file::{Problem, Source};

/// The keys of a table, and what each one's value is.
pub(super) type Keys = &'static [(&'static str, Kind)];

/// The form of a value.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number,
    /// A table with these keys.
    Table(Keys),
    /// A table of the plugin's.
    Free,
}

/// Whether a key of this name is among these, or in a table of them.
pub(super) fn has(keys: Keys, name: &str) -> bool {
    keys.iter().any(|(known, kind)| {
        *known == name || matches!(kind, Kind::Table(inner) if has(inner, name))
    })
}

/// The Jaro-Winkler similarity, from 0 to 1, from which a key is suggested for another.
const ALIKE: f64 = 0.75;
/// The most bytes of a value that a message quotes.
const QUOTED: usize = 40;

/// Finds unknown keys and values of another form, and removes them from the table.
pub(super) fn take_mistakes(
    source: Source<'_>,
    table: &mut DeTable<'_>,
    keys: Keys,
) -> Vec<Problem> {
    let mut found = Vec::new();
    look(source, "", table, keys, &mut found);
    found
}

fn look(
    source: Source<'_>,
    path: &str,
    table: &mut DeTable<'_>,
    keys: Keys,
    found: &mut Vec<Problem>,
) {
    let mut wrong = Vec::new();
    for (name, value) in table.iter_mut() {
        let key = format!("{path}{}", name.get_ref());
        let known = keys.iter().find(|(known, _)| known == name.get_ref());
        let mistake = match known {
            None => Some((name.span().start, unknown(name.get_ref(), keys))),
            Some((_, kind)) => {
                let at = value.span().start;
                match (kind, value.get_mut()) {
                    (Kind::Table(keys), DeValue::Table(inner)) => {
                        look(source, &format!("{key}."), inner, keys, found);
                        None
                    }
                    (kind, value) => kind.rule(value).map(|rule| (at, rule)),
                }
            }
        };
        if let Some((at, rule)) = mistake {
            found.push(Problem::at(source, at, &key, &rule));
            wrong.push(name.get_ref().to_string());
        }
    }
    for name in wrong {
        table.remove(name.as_str());
    }
}

fn unknown(name: &str, keys: Keys) -> String {
    let known = || keys.iter().map(|(known, _)| *known);
    if let Some(near) = nearest(name, known()) {
        return format!("unknown key; did you mean `{near}`?");
    }
    let known: Vec<_> = known().map(|known| format!("`{known}`")).collect();
    format!("unknown key; the keys here are {}", known.join(", "))
}

pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Keys have hyphens. Authors who know other formats write underscores, or neither.
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let alike = known.map(|known| (strsim::jaro_winkler(&plain(name), &plain(known)), known));
    let best = alike.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (best.0 >= ALIKE).then_some(best.1)
}

impl Kind {
    /// The rule that a value breaks.
    fn rule(self, value: &DeValue<'_>) -> Option<String> {
        let is = match (self, value) {
            (Self::OneOf(texts), DeValue::String(text)) if !texts.contains(&text.as_ref()) => {
                let near = nearest(text, texts.iter().copied());
                let near = near.map(|near| format!("; did you mean \"{near}\"?"));
                let near = near.unwrap_or_default();
                return Some(format!(
                    "must be {}, not {}{near}",
                    self.wanted(),
                    said(value)
                ));
            }
            (Self::Text | Self::OneOf(_), DeValue::String(_))
            | (Self::Flag, DeValue::Boolean(_))
            | (Self::Number, DeValue::Integer(_))
            | (Self::Free | Self::Table(_), DeValue::Table(_)) => true,
            (Self::Texts, DeValue::Array(values)) => values
                .iter()
                .all(|each| matches!(each.get_ref(), DeValue::String(_))),
            _ => false,
        };
        (!is).then(|| format!("must be {}, not {}", self.wanted(), said(value)))
    }

    fn wanted(self) -> String {
        match self {
            Self::Text => "text in quotes".to_owned(),
            Self::OneOf(texts) => {
                let texts: Vec<_> = texts.iter().map(|text| format!("\"{text}\"")).collect();
                texts.join(" or ")
            }
            Self::Texts => "a list of texts, such as [\"one\", \"two\"]".to_owned(),
            Self::Flag => "true or false, without quotes".to_owned(),
            Self::Number => "a whole number, without quotes".to_owned(),
            Self::Table(_) | Self::Free => "a table, such as [header] and keys below it".to_owned(),
        }
    }
}

/// The value that was given, shortened.
fn said(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => {
            let end = text.floor_char_boundary(QUOTED);
            let more = if end < text.len() { "..." } else { "" };
            format!("the text \"{}{more}\"", text.get(..end).unwrap_or_default())
        }
        DeValue::Integer(number) => format!("the number {}", number.as_str()),
        DeValue::Float(number) => format!("the number {}", number.as_str()),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => format!("the date {time}"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// The line, from 1, of the last key of this name before the byte `at`, where the name is set
/// again. What the parser recovers of the whole text has only the later position.
pub(super) fn earlier_line(text: &str, name: &str, at: usize) -> Option<usize> {
    let before = text.get(..at)?;
    let (table, _) = DeTable::parse_recoverable(before);
    let start = last_key(table.get_ref(), name)?;
    Some(before.get(..start)?.matches('\n').count() + 1)
}

fn last_key(table: &DeTable<'_>, name: &str) -> Option<usize> {
    let inner = |value: &DeValue<'_>| match value {
        DeValue::Table(inner) => last_key(inner, name),
        _ => None,
    };
    let positions = table.iter().flat_map(|(key, value)| {
        let own = (key.get_ref() == name).then(|| key.span().start);
        [own, inner(value.get_ref())]
    });
    positions.flatten().max()
}

//! The settings of the plugin `fields`: a mapping, which is compiled when the config is
//! read.

use std::collections::BTreeMap;
use std::ops::Range;

use poolhook_expressions::compiler::{self, Compiled, Mistake};
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::file::{self, ConfigError, MAX_PROBLEMS, Problem, Source};
use super::raw::RawPool;
use super::settings::written;
use super::words::nearest;
use super::{DEFAULTS_FILE, PluginName, Settings, literal};

/// The keys of the settings.
const KEYS: [&str; 6] = [
    "extends",
    "let",
    "skip-when",
    "skip-reason",
    "item",
    "examples",
];

impl Settings {
    /// These settings for a plugin of this name: those of `fields` are compiled, which finds
    /// all mistakes in them.
    pub fn for_plugin(self, name: &PluginName) -> Result<Self, ConfigError> {
        if !name.evaluates() {
            return Ok(self);
        }
        let source = Source {
            file: "settings",
            text: "",
        };
        let layer = |settings| Layer { source, settings };
        let (_, program, _) = Mapping::compile(layer(Some(&self)), layer(None))?;
        Ok(self.with_program(program))
    }
}

/// The settings of a file.
#[derive(Clone, Copy)]
pub(super) struct Layer<'a> {
    pub(super) source: Source<'a>,
    pub(super) settings: Option<&'a Settings>,
}

/// A mapping as a pool's file and the defaults have it.
#[derive(Debug, Default)]
pub struct Mapping {
    parts: BTreeMap<Vec<String>, Part>,
}

#[derive(Clone, Debug)]
struct Part {
    text: String,
    /// Whether it is of the pool's own file.
    is_own: bool,
}

/// An expression of a mapping.
#[derive(Clone, Debug)]
pub struct Expression {
    /// Its key in the settings: `item`, `email`.
    pub key: Vec<String>,
    /// Its text.
    pub text: String,
    /// Where its key stands. The rule is empty.
    pub place: Problem,
}

impl Expression {
    /// The attribute of the item that it is for.
    pub fn attribute(&self) -> Option<&str> {
        match &self.key[..] {
            [table, name] if table == "item" => Some(name),
            _ => None,
        }
    }
}

impl Mapping {
    /// Reads the mapping of a pool whose plugin is `fields` from its file and the defaults:
    /// the mapping, and what is probably a mistake in it.
    pub fn of_files(
        own: Source<'_>,
        defaults: Source<'_>,
    ) -> Result<(Self, Vec<Problem>), ConfigError> {
        let read = |source: Source<'_>| {
            let raw: RawPool = file::parse(source.file, source.text, super::raw::KEYS)?;
            Ok::<_, ConfigError>(raw.settings)
        };
        let settings = (read(own)?, read(defaults)?);
        let layer = |source, settings| Layer { source, settings };
        let own = layer(own, settings.0.as_ref());
        let defaults = layer(defaults, settings.1.as_ref());
        let (mapping, _, warnings) = Self::compile(own, defaults)?;
        Ok((mapping, warnings))
    }

    /// The settings of a mapping that has this attribute alone.
    pub fn only(&self, attribute: &str) -> Option<Settings> {
        let compiled = compiler::compile(&self.expressions().only(attribute)).ok()?;
        Some(Settings::default().with_program(compiled.program))
    }

    /// The user attributes that the expressions name, each with the key of one that does, such
    /// as `item.plan`.
    pub fn attributes(&self) -> BTreeMap<String, String> {
        let compiled = compiler::compile(&self.expressions());
        compiled
            .map(|compiled| compiled.attributes)
            .unwrap_or_default()
    }

    /// Reads the mapping of a pool: its own settings, over those of the defaults if they say
    /// so; without own settings, those of the defaults. Also returns what cannot be read.
    fn read(own: Layer<'_>, defaults: Layer<'_>) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut mapping = Self::default();
        let mut reader = |layer: Layer<'_>, is_own| {
            let mut reader = Reader {
                layer,
                is_own,
                mapping: &mut mapping,
                problems: &mut problems,
            };
            reader.read();
        };
        let layer = match own.settings {
            None => {
                reader(defaults, false);
                defaults
            }
            Some(settings) => {
                let inherits = object(settings).contains_key("extends");
                if inherits && defaults.settings.is_some() {
                    reader(defaults, false);
                }
                reader(own, true);
                if inherits && defaults.settings.is_none() {
                    let rule = format!("{DEFAULTS_FILE} has no [settings]");
                    problems.push(place(own.source, &["extends"], None, &rule));
                }
                own
            }
        };
        let in_mapping = mapping
            .parts
            .keys()
            .any(|key| key.first().is_some_and(|first| first == "item"));
        let in_file = layer
            .settings
            .is_some_and(|settings| object(settings).contains_key("item"));
        if !in_mapping && !in_file && problems.is_empty() {
            let rule =
                "the key `item` is missing: it gives each attribute of the item an expression";
            problems.push(place(layer.source, &[], None, rule));
        }
        (mapping, problems)
    }

    /// Reads and compiles the mapping of a pool: with its program, and with what is probably
    /// a mistake in it. Or finds all mistakes.
    pub(super) fn compile(
        own: Layer<'_>,
        defaults: Layer<'_>,
    ) -> Result<(Self, String, Vec<Problem>), ConfigError> {
        let (mapping, mut problems) = Self::read(own, defaults);
        let compiled = compiler::compile(&mapping.expressions());
        let (program, mistakes) = match compiled {
            Ok(Compiled {
                program, warnings, ..
            }) => (program, warnings),
            Err(mistakes) => (String::new(), mistakes),
        };
        let is_wrong = program.is_empty();
        // To find a place, the file is read again.
        let located = mistakes.iter().take(MAX_PROBLEMS).map(|mistake| {
            let is_own = mapping
                .parts
                .get(&mistake.key)
                .is_none_or(|part| part.is_own);
            of_mistake(if is_own { own } else { defaults }.source, mistake)
        });
        let mut located: Vec<_> = located.collect();
        if is_wrong || !problems.is_empty() {
            if is_wrong {
                problems.append(&mut located);
            }
            problems.sort_by(|one, other| {
                let place = |problem: &Problem| (problem.line, problem.column);
                one.file
                    .cmp(&other.file)
                    .then(place(one).cmp(&place(other)))
            });
            return Err(ConfigError::Invalid { problems });
        }
        Ok((mapping, program, located))
    }

    /// The mapping for the compiler.
    fn expressions(&self) -> compiler::Mapping {
        let texts = |table: &str| {
            let of_table = self.parts.iter().filter_map(|(key, part)| match &key[..] {
                [of, name] if of == table => Some((name.clone(), part.text.clone())),
                _ => None,
            });
            of_table.collect()
        };
        let text = |name: &str| {
            let part = self.parts.get(&[name.to_owned()][..]);
            part.map(|part| part.text.clone())
        };
        compiler::Mapping {
            lets: texts("let"),
            skip_when: text("skip-when"),
            skip_reason: text("skip-reason"),
            item: texts("item"),
        }
    }

    /// All expressions, each with its place.
    pub fn places(&self, own: Source<'_>, defaults: Source<'_>) -> Vec<Expression> {
        let expression = |(key, part): (&Vec<String>, &Part)| {
            let source = if part.is_own { own } else { defaults };
            let names: Vec<_> = key.iter().map(String::as_str).collect();
            let whole = 0..part.text.len();
            Expression {
                key: key.clone(),
                text: part.text.clone(),
                place: place(source, &names, Some(&whole), ""),
            }
        };
        self.parts.iter().map(expression).collect()
    }
}

/// Reads the settings of one file.
struct Reader<'a, 'm> {
    layer: Layer<'a>,
    is_own: bool,
    mapping: &'m mut Mapping,
    problems: &'m mut Vec<Problem>,
}

impl Reader<'_, '_> {
    fn read(&mut self) {
        let settings = self.layer.settings.map(object).unwrap_or_default();
        for (name, value) in &settings {
            match (name.as_str(), value) {
                ("extends", Value::String(file)) if file == "defaults" && self.is_own => {}
                ("extends", _) if !self.is_own => {
                    self.wrong(&[name], "the defaults extend nothing");
                }
                ("extends", _) => {
                    self.wrong(
                        &[name],
                        "must be \"defaults\": the settings of defaults.toml",
                    );
                }
                ("let" | "item", Value::Object(entries)) => {
                    for (key, value) in entries {
                        self.part(&[name, key], value);
                    }
                }
                ("let" | "item", _) => {
                    self.wrong(&[name], "must be a table of names and expressions");
                }
                ("skip-when" | "skip-reason", value) => self.part(&[name], value),
                ("examples", _) => {}
                (other, _) => {
                    let rule = match nearest(other, KEYS.into_iter()) {
                        Some(near) => format!("unknown key; did you mean `{near}`?"),
                        None => format!("unknown key; `fields` has {}", KEYS.join(", ")),
                    };
                    self.wrong(&[other], &rule);
                }
            }
        }
    }

    fn part(&mut self, key: &[&str], value: &Value) {
        let path: Vec<String> = key.iter().map(ToString::to_string).collect();
        match value {
            Value::String(text) => {
                let part = Part {
                    text: text.clone(),
                    is_own: self.is_own,
                };
                self.mapping.parts.insert(path, part);
            }
            // It takes away what the defaults have.
            Value::Bool(false) if self.mapping.parts.remove(&path).is_some() => {}
            Value::Bool(false) => {
                self.wrong(key, "is false, which removes what the extended settings have under this name, and they have nothing");
            }
            other => {
                let rule =
                    format!("must be an expression in quotes, such as \"user.name\", not {other}");
                self.wrong(key, &rule);
            }
        }
    }

    fn wrong(&mut self, key: &[&str], rule: &str) {
        if self.problems.len() == MAX_PROBLEMS {
            return;
        }
        self.problems
            .push(place(self.layer.source, key, None, rule));
    }
}

fn object(settings: &Settings) -> Map<String, Value> {
    serde_json::from_str(settings.as_json()).unwrap_or_default()
}

fn of_mistake(source: Source<'_>, mistake: &Mistake) -> Problem {
    let key: Vec<_> = mistake.key.iter().map(String::as_str).collect();
    Problem {
        help: mistake
            .help
            .as_deref()
            .map(|help| crate::text::shown(help).to_string()),
        ..place(source, &key, mistake.span.as_ref(), &mistake.text)
    }
}

/// A problem at a key of the settings, or in its text. A key that is not there is where the
/// one above it is.
fn place(source: Source<'_>, key: &[&str], part: Option<&Range<usize>>, rule: &str) -> Problem {
    let (table, _) = DeTable::parse_recoverable(source.text);
    let mut at = 0..0;
    let mut literal = None;
    let mut inner = Some(table.get_ref());
    for name in std::iter::once(&"settings").chain(key) {
        let Some((key, value)) = inner.and_then(|table| table.get_key_value(*name)) else {
            break;
        };
        at = key.span();
        literal = Some(value.span());
        inner = match value.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => None,
        };
    }
    let key = [&["settings"], key].concat();
    let key = dotted(&key);
    let in_text = part.zip(literal).and_then(|(part, literal)| {
        let within = literal::range(source.text.get(literal.clone())?, part)?;
        Some(literal.start + within.start..literal.start + within.end)
    });
    match in_text {
        Some(range) => Problem::at(source, range.start, &key, rule).with_excerpt(source, range),
        None => Problem::at(source, at.start, &key, rule),
    }
}

fn dotted(key: &[&str]) -> String {
    let names: Vec<_> = key.iter().map(|name| written(name)).collect();
    names.join(".")
}

//! Wrong expressions, and what an author reads about each: `docs/fields/mistakes.md`, which is
//! rewritten if `POOLHOOK_BLESS` is set.

use std::{env, fs};

use poolhook_expressions::compiler::{Mapping, compile};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/fields/mistakes.md");

#[test]
fn each_mistake_is_told_as_in_the_table() {
    let table = fs::read_to_string(TABLE).unwrap_or_default();
    let mut expected = String::new();
    let (mut head, mut count) = (true, 0);
    for line in table.lines() {
        let is_row = line.starts_with("| `") && !head;
        head &= !line.starts_with("|---");
        if !is_row {
            expected.push_str(line);
            expected.push('\n');
            continue;
        }
        let expression = line.trim_start_matches("| `").split("` |").next().unwrap();
        let expression = expression.replace("\\|", "|");
        expected.push_str(&row(&expression));
        count += 1;
    }
    assert!(count >= 30, "{count} mistakes");
    if env::var_os("POOLHOOK_BLESS").is_some() {
        fs::write(TABLE, &expected).unwrap();
    }
    assert_eq!(table, expected);
}

/// What a message says to write is accepted.
#[test]
fn each_way_out_is_a_way_out() {
    let table = fs::read_to_string(TABLE).unwrap_or_default();
    let mut tried = 0;
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        let help = line
            .rsplit(" | ")
            .next()
            .unwrap_or_default()
            .replace("\\|", "|");
        let Some((_, rest)) = help.split_once("write `") else {
            continue;
        };
        let fixed = rest.split('`').next().unwrap();
        // A name or a part of an expression is none.
        if fixed.contains("...") || !fixed.contains("user.") {
            continue;
        }
        tried += 1;
        let found = mistakes(fixed);
        assert_eq!(found, Vec::<String>::new(), "{line}");
    }
    assert!(tried >= 15, "{tried} ways out");
}

fn row(expression: &str) -> String {
    let mapping = mapping(expression);
    let mistakes = compile(&mapping).expect_err(expression);
    let mistake = &mistakes[0];
    let part = mistake.span.clone().map_or("", |span| &expression[span]);
    let cell = |text: &str| text.replace('|', "\\|");
    let code = |text: &str| {
        if text.is_empty() {
            String::new()
        } else {
            format!("`{}`", cell(text))
        }
    };
    format!(
        "| {} | {} | {} | {} |\n",
        code(expression),
        code(part),
        cell(&mistake.text),
        cell(mistake.help.as_deref().unwrap_or_default())
    )
}

fn mistakes(expression: &str) -> Vec<String> {
    match compile(&mapping(expression)) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.into_iter().map(|mistake| mistake.text).collect(),
    }
}

fn mapping(expression: &str) -> Mapping {
    Mapping {
        item: [("x".to_owned(), expression.to_owned())].into(),
        ..Mapping::default()
    }
}

//! The reference of the language: a page in Markdown, from the tables that the compiler and
//! the evaluator use.

use std::fmt::Write as _;

use super::expression::signature;
use crate::filters::FILTERS;
use crate::kinds::Kinds;
use crate::operators::BINARY;
use crate::tests::TESTS;

const HEAD: &str = "# Expressions: the reference

Every operator, filter and test of the plugin `fields`, each with an example and its value in DynamoDB's JSON. A test runs all of them, and this page is written from the tables that check and evaluate expressions. The examples are about a user `hanako` with the email `Hanako@Example.com`, without a nickname.

The syntax is [Jinja's](https://jinja.palletsprojects.com/en/stable/templates/#expressions), as [minijinja](https://docs.rs/minijinja/latest/minijinja/syntax/index.html#expressions) reads it. [What is different](#what-is-different-from-minijinja) is at the end.

## Values

| written | is |
|---|---|
| `'text'`, `\"text\"` | text (S) |
| `12`, `1.5`, `-3` | a number (N) |
| `true`, `false` | a boolean (BOOL) |
| `none` | NULL |
| `['a', user.name]` | a list (L) |
| `{'city': 'Kyoto'}` | a map (M) |
| `user.name`, `let.domain` | a field of the user, an intermediate value |
| `value.name`, `value['custom:name']` | a member of a map; missing if it has none |
| `value[0]`, `value[-1]` | a member of a list, from the end if negative; missing if there is none |
| `value[:3]`, `value[2:]`, `value[::-1]` | a part of a text, by characters, or of a list |
| `a if condition else b` | one of two values; without `else`, possibly missing |
| `a or b`, `a and b`, `not a` | as in Jinja: what is missing, empty, zero, false or none counts as false |
| `a ~ b` | a text of texts, numbers and booleans |

";

const TAIL: &str = "## What is different from minijinja

- What is missing stays missing through every operator and filter until `default`, `optional` or `omitempty`. Only these look at it: `==` and `!=` (it is equal to nothing that is there), `in` (it is in nothing, and holds nothing), the tests (it passes none but `undefined`), and conditions (it counts as false).
- Types are checked: an operation on another type is an error of `config check`, and not a surprise in an item. Text cannot be multiplied, and values of two kinds cannot be compared. Values from `json` have no type before they are read; for them, the error comes with the event.
- A text is a condition, as in Jinja, but the texts of `email_verified` and `phone_number_verified` are not, as `false` would be true.
- `int`, `number`, `bool`, `json` and `base64` refuse what they cannot read. Jinja's `int` gives 0, and its `bool` takes every value.
- `set`, `compact`, `hash_int`, `omitempty`, `optional`, `strftime` on a time, `timestamp` and `zfill` are not Jinja's. `hash`, `to_uuid`, `regex_replace`, `regex_search`, `to_datetime`, and the tests `match` and `search` are named as in Ansible; `to_uuid` has no default namespace.
- `sort` takes a list of texts or one of numbers, and ignores case unless it is `case_sensitive`.
- There are no functions, no macros and no statements, no clock and no random numbers.
- Whole numbers have up to 38 digits. Calculations with fractions have 15; `number` alone keeps every digit of a text.

## Limits

An expression has at most 2,000 characters, 24 open brackets, and 100 of `not`, `else`, `-` and `*`. There are at most 100 intermediate values. A value has at most 32 levels of lists and maps. A pattern takes at most 64 KB when it is compiled, and has at most 16 groups in groups; it runs in linear time.
";

/// The page.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    page.push_str(
        "## Operators\n\n| operator | takes | does | example | value |\n|---|---|---|---|---|\n",
    );
    for operator in BINARY {
        let takes = takes(operator.takes);
        row(
            &mut page,
            &[code(operator.sign), takes, operator.about.to_owned()],
            operator.example,
        );
    }
    page.push_str("\n`**` binds most tightly, then `* / // %`, then `~`, then `+ -`, then comparisons, `not`, `and`, `or`, and `if`. A filter binds more tightly than all of them: `('a' ~ 'b') | upper`.\n");
    page.push_str("\n## Filters\n\n| filter | arguments | takes | does | example | value |\n|---|---|---|---|---|---|\n");
    for filter in FILTERS {
        let arguments = signature(filter.parameters);
        let cells = [
            code(filter.name),
            arguments,
            takes(filter.takes),
            filter.about.to_owned(),
        ];
        row(&mut page, &cells, filter.example);
    }
    page.push_str("\nAn argument stands in brackets, by position or by name: `timestamp(30)`, `timestamp(days=30)`.\n");
    page.push_str("\n## Tests\n\nThey follow `is` or `is not`, and are named in `select`, `reject`, `selectattr` and `rejectattr`.\n\n| test | arguments | takes | passes | example | value |\n|---|---|---|---|---|---|\n");
    for test in TESTS {
        let arguments = signature(test.parameters);
        let cells = [
            code(test.name),
            arguments,
            takes(test.takes),
            test.about.to_owned(),
        ];
        row(&mut page, &cells, test.example);
    }
    page.push('\n');
    page.push_str(TAIL);
    page
}

fn takes(kinds: Kinds) -> String {
    kinds.to_string()
}

fn row(page: &mut String, cells: &[String], example: (&str, &str)) {
    let value = match example.1 {
        "left out" => "left out".to_owned(),
        value => code(value),
    };
    let cells = cells.iter().cloned().chain([code(example.0), value]);
    let cells: Vec<_> = cells.map(|cell| cell.replace('|', "\\|")).collect();
    // Writing into a text cannot fail.
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

//! Tables for people.

use unicode_width::UnicodeWidthStr as _;

/// Aligns the columns of rows of text, under their names. Cells are on one line each.
pub(crate) fn table<const N: usize>(names: [&str; N], rows: &[[String; N]]) -> String {
    let names = names.map(str::to_owned);
    let widths: Vec<_> = (0..N)
        .map(|column| {
            let cells = rows.iter().chain([&names]);
            let widths = cells.filter_map(|row| Some(row.get(column)?.width()));
            widths.max().unwrap_or_default()
        })
        .collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths);
        let cells = cells.map(|(cell, width)| {
            let padding = width.saturating_sub(cell.width());
            format!("{cell}{}", " ".repeat(padding))
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let lines = [line(&names)].into_iter().chain(rows.iter().map(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "1"], ["名前", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(super::table(["id", "n"], &rows), "id    n\na     1\n名前");
    }
}

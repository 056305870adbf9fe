//! Aligned columns for a terminal, without frames or wrapping.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::figures::printable;

/// How a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows of cells. Columns without a declared alignment are aligned left.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    columns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// An empty grid: `L` for a left-aligned column, anything else for a right-aligned one.
    pub(crate) fn new(columns: &str) -> Self {
        let align = |c| {
            if c == 'L' { Align::Left } else { Align::Right }
        };
        Self {
            columns: columns.chars().map(align).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row. Control characters are escaped.
    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let cells = cells.into_iter();
        self.rows.push(
            cells
                .map(|cell| printable(cell.as_ref()).into_owned())
                .collect(),
        );
    }

    /// Whether there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes the rows, indented by two spaces, columns two spaces apart, without trailing spaces.
    /// Widths are those of a terminal: two columns for a Chinese sign, none for a Thai vowel above one.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            for (index, cell) in row.iter().enumerate() {
                let width = cell.width();
                match widths.get_mut(index) {
                    Some(widest) => *widest = width.max(*widest),
                    None => widths.push(width),
                }
            }
        }
        for row in &self.rows {
            let mut line = String::new();
            for (index, cell) in row.iter().enumerate() {
                let gap = widths[index] - cell.width();
                let right = self.columns.get(index) == Some(&Align::Right);
                line.push_str("  ");
                line.extend(std::iter::repeat_n(' ', if right { gap } else { 0 }));
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', if right { 0 } else { gap }));
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_aligned_right_and_text_left() {
        let mut grid = Grid::new("LRL");
        grid.row(["table", "rows", "why"]);
        grid.row(["calls", "1,204", "–"]);
        grid.row(["asr_turns", "7", ""]);
        let mut out = Vec::new();
        grid.write(&mut out).expect("a Vec takes all");
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "  table       rows  why\n  calls      1,204  –\n  asr_turns      7\n"
        );
    }

    #[test]
    fn wide_and_combining_signs_take_the_columns_that_a_terminal_gives_them() {
        let mut grid = Grid::new("LR");
        grid.row(["催收", "1"]);
        grid.row(["ที่", "2"]);
        grid.row(["plan", "3"]);
        let mut out = Vec::new();
        grid.write(&mut out).expect("a Vec takes all");
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "  催收  1\n  ที่     2\n  plan  3\n"
        );
    }
}

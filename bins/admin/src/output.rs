//! Results, as text for people or JSON for programs.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

/// Where results go: text for people or JSON for programs.
pub(crate) struct Output<W> {
    out: W,
    json: bool,
}

impl<W: Write> Output<W> {
    pub(crate) fn new(out: W, json: bool) -> Self {
        Self { out, json }
    }

    /// One thing: JSON on a line, or a line for each of its fields.
    pub(crate) fn one<T: Serialize>(
        &mut self,
        value: &T,
        fields: impl FnOnce(&T) -> Vec<(&'static str, String)>,
    ) -> io::Result<()> {
        if self.json {
            return self.json(value);
        }
        let fields = fields(value);
        let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in fields {
            writeln!(self.out, "{name:width$}  {}", printable(&value))?;
        }
        Ok(())
    }

    /// Many things: a JSON line each, or a table.
    pub(crate) fn table<T: Serialize, const N: usize>(
        &mut self,
        columns: [&str; N],
        values: &[T],
        row: impl Fn(&T) -> [String; N],
    ) -> io::Result<()> {
        if self.json {
            return values.iter().try_for_each(|value| self.json(value));
        }
        let mut rows = vec![columns.map(str::to_owned)];
        rows.extend(values.iter().map(|value| row(value).map(|cell| printable(&cell))));
        let mut widths = [0; N];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for row in rows {
            let mut line = String::new();
            for (width, cell) in widths.iter().zip(row) {
                _ = write!(line, "{cell:width$}  ");
            }
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// One of many things that come one after the other, so that no table can be measured.
    pub(crate) fn line<T: Serialize>(
        &mut self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> io::Result<()> {
        if self.json { self.json(value) } else { writeln!(self.out, "{}", printable(&text(value))) }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn json<T: Serialize>(&mut self, value: &T) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        writeln!(self.out)
    }
}

/// Keys may hold anything, and so may what another gateway says; what could steer a terminal or reorder its text is shown as an escape.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                shown.extend(c.escape_unicode());
            }
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// Bytes in the largest binary unit that leaves a number of at least 1, beside the exact count.
pub(crate) fn bytes(count: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let Some(power) = (count.max(1).ilog2() / 10).checked_sub(1) else { return format!("{count} B") };
    let unit = units.get(power as usize).unwrap_or(&"EiB");
    let scaled = count as f64 / 1024_f64.powi(power as i32 + 1);
    format!("{scaled:.1} {unit} ({count} B)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: bool, write: impl FnOnce(&mut Output<&mut Vec<u8>>) -> io::Result<()>) -> String {
        let mut bytes = Vec::new();
        write(&mut Output::new(&mut bytes, json)).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn tables_align_and_json_is_a_value_a_line() {
        let table = |output: &mut Output<&mut Vec<u8>>| {
            output.table(["NAME", "N"], &[("é", 1), ("longer", 22)], |(name, n)| {
                [(*name).into(), n.to_string()]
            })
        };
        assert_eq!(shown(false, table), "NAME    N\né       1\nlonger  22\n");
        assert_eq!(shown(true, table), "[\"é\",1]\n[\"longer\",22]\n");
    }

    #[test]
    fn keys_cannot_steer_the_terminal() {
        let line =
            |output: &mut Output<&mut Vec<u8>>| output.line(&"a\u{1b}[2J\nb\u{202e}c", |key| (*key).into());
        assert_eq!(shown(false, line), "a\\u{1b}[2J\\nb\\u{202e}c\n");
        assert_eq!(shown(true, line), "\"a\\u001b[2J\\nb\u{202e}c\"\n");
    }

    #[test]
    fn sizes_are_told_in_fitting_units() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB (1024 B)"),
            (1 << 20, "1.0 MiB (1048576 B)"),
            (1_610_612_736, "1.5 GiB (1610612736 B)"),
            (u64::MAX, "16.0 EiB (18446744073709551615 B)"),
        ];
        for (count, text) in cases {
            assert_eq!(bytes(count), text);
        }
    }
}

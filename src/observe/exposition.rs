//! Figures in the text format of Prometheus, as OpenMetrics has it.
//!
//! All are gauges: a process that ends leaves the figures of its last run, and nothing grows. For
//! gauges the older format, which the textfile collector and the pushgateway read, is the same; they
//! take `# UNIT` and `# EOF` for comments. Written here and not by `prometheus-client`, which keeps
//! registered metrics of a living process, where this writes a report once and merges it with a file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How every name begins.
pub(super) const PREFIX: &str = "airudder_export_";

/// Units that a name may end with.
const UNITS: [&str; 2] = ["seconds", "bytes"];

/// Names and values of labels, in their order.
type Labels = Vec<(String, String)>;

/// Figures by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Exposition {
    families: BTreeMap<String, Family>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Family {
    pub(super) help: String,
    /// By labels.
    pub(super) samples: BTreeMap<Labels, f64>,
}

impl Exposition {
    /// Adds a figure. `name` is written without the prefix.
    pub(super) fn add(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        let family = self.families.entry(format!("{PREFIX}{name}")).or_default();
        help.clone_into(&mut family.help);
        let label = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        family
            .samples
            .insert(labels.iter().map(label).collect(), value);
    }

    /// Names and their figures.
    #[cfg(feature = "otlp")]
    pub(super) fn families(&self) -> impl Iterator<Item = (&str, &Family)> {
        self.families
            .iter()
            .map(|(name, family)| (name.as_str(), family))
    }

    /// Whether there is a figure of this name with these labels.
    fn has(&self, name: &str, labels: Option<&[(String, String)]>) -> bool {
        let family = self.families.get(name);
        family.is_some_and(|family| labels.is_none_or(|labels| family.samples.contains_key(labels)))
    }

    /// Takes over from an earlier text what a run of `command` does not replace: the figures of
    /// other commands, its own last success, and those of the lake if it could not be read.
    pub(super) fn keep(&mut self, earlier: &str, command: &str) {
        let last_success = format!("{PREFIX}last_success_timestamp_seconds");
        let mut help = BTreeMap::new();
        let mut kept = Vec::new();
        for line in earlier.lines() {
            if let Some((name, text)) = line
                .strip_prefix("# HELP ")
                .and_then(|rest| rest.split_once(' '))
            {
                help.insert(name, text);
            }
            let Some((name, labels, value)) = sample(line) else {
                continue;
            };
            let of = labels.iter().find(|(label, _)| label == "command");
            let is_kept = match of {
                Some((_, of)) if of == command => {
                    name == last_success && !self.has(name, Some(&labels))
                }
                Some(_) => true,
                None => !self.has(name, None),
            };
            if is_kept {
                kept.push((name, labels, value));
            }
        }
        for (name, labels, value) in kept {
            let family = self.families.entry(name.to_owned()).or_default();
            if family.help.is_empty() {
                family.help = unescaped(help.get(name).copied().unwrap_or_default());
            }
            family.samples.insert(labels, value);
        }
    }

    /// The text.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        for (name, family) in &self.families {
            self::line(&mut out, format_args!("# TYPE {name} gauge"));
            let unit = UNITS
                .iter()
                .find(|unit| name.ends_with(&format!("_{unit}")));
            if let Some(unit) = unit {
                self::line(&mut out, format_args!("# UNIT {name} {unit}"));
            }
            self::line(
                &mut out,
                format_args!("# HELP {name} {}", escaped(&family.help)),
            );
            for (labels, value) in &family.samples {
                let labels: Vec<String> = (labels.iter())
                    .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
                    .collect();
                if labels.is_empty() {
                    self::line(&mut out, format_args!("{name} {value}"));
                } else {
                    self::line(
                        &mut out,
                        format_args!("{name}{{{}}} {value}", labels.join(",")),
                    );
                }
            }
        }
        out.push_str("# EOF\n");
        out
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a String takes all");
}

fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    text.replace('"', "\\\"")
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '\\' => match signs.next() {
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => {}
            },
            other => out.push(other),
        }
    }
    out
}

/// A line's name, labels and value, if it is a figure of this program.
fn sample(line: &str) -> Option<(&str, Labels, f64)> {
    if !line.starts_with(PREFIX) {
        return None;
    }
    let (name, labels, value) = match line.split_once('{') {
        Some((name, rest)) => {
            let (labels, value) = rest.rsplit_once("} ")?;
            (name, read_labels(labels)?, value)
        }
        None => {
            let (name, value) = line.split_once(' ')?;
            (name, Vec::new(), value)
        }
    };
    let value: f64 = value.trim().parse().ok()?;
    Some((name, labels, value))
}

fn read_labels(text: &str) -> Option<Labels> {
    let mut labels = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"")?;
        let mut end = None;
        let mut is_escaped = false;
        for (at, sign) in after.char_indices() {
            match sign {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                '"' => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let end = end?;
        labels.push((name.to_owned(), unescaped(&after[..end])));
        rest = after[end + 1..].trim_start_matches(',');
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(command: &str, rows: f64) -> Exposition {
        let mut figures = Exposition::default();
        figures.add(
            "rows",
            "Rows.",
            &[("command", command), ("table", "a \"b\"\\\n")],
            rows,
        );
        figures.add("duration_seconds", "Time.", &[("command", command)], 1.5);
        figures.add("lake_commit", "Number.", &[], rows);
        figures
    }

    #[test]
    fn the_text_is_open_metrics() {
        assert_eq!(
            of("run", 7.0).text(),
            "# TYPE airudder_export_duration_seconds gauge\n\
             # UNIT airudder_export_duration_seconds seconds\n\
             # HELP airudder_export_duration_seconds Time.\n\
             airudder_export_duration_seconds{command=\"run\"} 1.5\n\
             # TYPE airudder_export_lake_commit gauge\n\
             # HELP airudder_export_lake_commit Number.\n\
             airudder_export_lake_commit 7\n\
             # TYPE airudder_export_rows gauge\n\
             # HELP airudder_export_rows Rows.\n\
             airudder_export_rows{command=\"run\",table=\"a \\\"b\\\"\\\\\\n\"} 7\n\
             # EOF\n"
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        let first = of("run", 7.0);
        let mut second = Exposition::default();
        second.keep(&first.text(), "compact");
        assert_eq!(second, first);
    }

    #[test]
    fn a_run_replaces_its_own_figures_and_keeps_those_of_others() {
        let mut compact = of("compact", 1.0);
        compact.keep(&of("run", 7.0).text(), "compact");
        let text = compact.text();
        assert!(text.contains("rows{command=\"run\""), "{text}");
        assert!(text.contains("airudder_export_lake_commit 1\n"), "{text}");
        let mut run = of("run", 9.0);
        run.keep(&text, "run");
        assert_eq!(run.text().matches("rows{").count(), 2);
        assert!(run.text().contains("\"} 9\n"));
    }

    #[test]
    fn the_last_success_outlives_a_run_that_fails() {
        let name = "last_success_timestamp_seconds";
        let mut good = of("run", 7.0);
        good.add(name, "When.", &[("command", "run")], 1_710_000_000.25);
        let mut failed = of("run", 0.0);
        failed.keep(&good.text(), "run");
        let kept = "airudder_export_last_success_timestamp_seconds{command=\"run\"} 1710000000.25";
        assert!(failed.text().contains(kept), "{}", failed.text());
    }

    proptest::proptest! {
        #[test]
        fn no_earlier_text_is_a_panic(text in "(airudder_export_x(\\{[a-z\"=,\\\\]*\\}?)? ?[0-9e]*\n)*") {
            Exposition::default().keep(&text, "run");
        }
    }
}

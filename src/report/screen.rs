//! Standard error, shared by log lines and the progress bar so that they do not overwrite each
//! other.
//!
//! Writing never fails: if the terminal is gone (a closed window, a broken pipe), the output is
//! lost and the run continues.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};
#[cfg(test)]
use std::sync::{Arc, Mutex};

use console::Term;
use indicatif::{MultiProgress, ProgressDrawTarget, TermLike};
use tracing_subscriber::fmt::MakeWriter;

use crate::job::{Environment, LogFormat, OutputOptions, ProgressMode};
use crate::privacy::terminal_safe;

/// Maximum redraws of a bar per second.
const REDRAWS_PER_SECOND: u8 = 10;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// A bar that is redrawn in place.
    Bar,
    /// A log line at intervals.
    Lines,
    Nothing,
}

/// Standard error. Cheap to clone. As a writer for `tracing` it expects whole lines.
#[derive(Clone)]
pub struct Screen {
    bars: MultiProgress,
    sink: Sink,
    show: Show,
    colours: bool,
}

#[derive(Clone)]
enum Sink {
    StandardError,
    #[cfg(test)]
    Memory(Arc<Mutex<Vec<u8>>>),
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Screen({:?}, colours: {})", self.show, self.colours)
    }
}

impl Screen {
    /// Standard error according to the settings: a bar and colours only on a terminal, no colours
    /// with `NO_COLOR`, no bar on a build server (`CI`).
    #[must_use]
    pub fn standard_error(options: OutputOptions, env: &Environment) -> Self {
        let terminal = io::stderr().is_terminal();
        let show = show(options, terminal && !env.ci());
        let target = match show {
            Show::Bar => ProgressDrawTarget::term_like_with_hz(
                Box::new(Tolerant(Term::buffered_stderr())),
                REDRAWS_PER_SECOND,
            ),
            Show::Lines | Show::Nothing => ProgressDrawTarget::hidden(),
        };
        Self {
            bars: MultiProgress::with_draw_target(target),
            sink: Sink::StandardError,
            show,
            colours: terminal && !env.no_color(),
        }
    }

    /// How progress is shown on this screen.
    #[must_use]
    pub fn show(&self) -> Show {
        self.show
    }

    /// Whether log lines are coloured.
    #[must_use]
    pub fn colours(&self) -> bool {
        self.colours
    }

    /// The container that bars are added to.
    pub(super) fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Writes whole lines, above the bar if there is one. Terminal control characters are escaped,
    /// whatever the source of the line.
    pub fn print(&self, lines: &[u8]) {
        let lines = &*terminal_safe(lines, self.colours);
        self.bars.suspend(|| match &self.sink {
            Sink::StandardError => {
                // A failure cannot be reported anywhere.
                let _ = io::stderr().lock().write_all(lines);
            }
            #[cfg(test)]
            Sink::Memory(memory) => memory.lock().expect("no panic").extend_from_slice(lines),
        });
    }

    /// A screen without a bar that records its lines.
    #[cfg(test)]
    pub(super) fn in_memory(show: Show) -> (Self, Arc<Mutex<Vec<u8>>>) {
        let memory = Arc::default();
        let screen = Self {
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()),
            sink: Sink::Memory(Arc::clone(&memory)),
            show,
            colours: false,
        };
        (screen, memory)
    }
}

/// JSON lines get no bar unless it is requested: standard error stays JSON.
fn show(options: OutputOptions, watched: bool) -> Show {
    match options.progress {
        ProgressMode::Never => Show::Nothing,
        ProgressMode::Always => Show::Bar,
        ProgressMode::Auto if options.verbosity < 0 => Show::Nothing,
        ProgressMode::Auto if watched && options.log_format == LogFormat::Text => Show::Bar,
        ProgressMode::Auto => Show::Lines,
    }
}

/// A writer for one log line.
#[derive(Debug)]
pub struct ScreenWriter<'a>(&'a Screen);

impl Write for ScreenWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.print(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Screen {
    type Writer = ScreenWriter<'a>;

    fn make_writer(&'a self) -> ScreenWriter<'a> {
        ScreenWriter(self)
    }
}

/// A terminal whose write errors are ignored: indicatif panics on some of them.
#[derive(Debug)]
struct Tolerant(Term);

macro_rules! tolerant {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {$(
        fn $name(&self, $($arg: $type),*) -> io::Result<()> {
            let _ = self.0.$name($($arg),*);
            Ok(())
        }
    )*};
}

impl TermLike for Tolerant {
    fn width(&self) -> u16 {
        self.0.size().1
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    tolerant! {
        move_cursor_up(n: usize);
        move_cursor_down(n: usize);
        move_cursor_right(n: usize);
        move_cursor_left(n: usize);
        write_line(text: &str);
        write_str(text: &str);
        clear_line();
        flush();
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::job::ResultFormat;

    #[rstest]
    #[case(ProgressMode::Auto, LogFormat::Text, 0, true, Show::Bar)]
    #[case(ProgressMode::Auto, LogFormat::Text, 0, false, Show::Lines)]
    #[case(ProgressMode::Auto, LogFormat::Json, 0, true, Show::Lines)]
    #[case(ProgressMode::Auto, LogFormat::Text, -1, true, Show::Nothing)]
    #[case(ProgressMode::Auto, LogFormat::Text, -1, false, Show::Nothing)]
    #[case(ProgressMode::Always, LogFormat::Json, -1, false, Show::Bar)]
    #[case(ProgressMode::Never, LogFormat::Text, 2, true, Show::Nothing)]
    fn a_bar_is_for_those_who_watch(
        #[case] progress: ProgressMode,
        #[case] log_format: LogFormat,
        #[case] verbosity: i8,
        #[case] watched: bool,
        #[case] expected: Show,
    ) {
        let options = OutputOptions {
            format: ResultFormat::Text,
            log_format,
            progress,
            verbosity,
        };
        assert_eq!(show(options, watched), expected);
    }
}

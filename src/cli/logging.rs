//! How the log looks on standard error: errors and warnings as people are told them, or JSON.
//!
//! The live bar is on the same terminal, so every line is written while the bar is away.

use std::fmt;
use std::io::{self, Write};

use indicatif::MultiProgress;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::cli::output::visible;

/// What is logged, and how.
#[derive(Debug, Clone, Copy)]
pub struct LogOptions {
    /// Errors only.
    pub is_quiet: bool,
    /// 0: what matters; 1: each object and batch; 2: what libraries say, too.
    pub verbosity: u8,
    /// One JSON object a line.
    pub is_json: bool,
    /// Whether to colour.
    pub is_coloured: bool,
}

/// Starts logging to standard error, above the bars.
///
/// # Panics
/// If logging was started before.
pub fn start(options: LogOptions, bars: MultiProgress) {
    // What aws_config warns of, it also returns as an error, and we tell that.
    let filter = match (options.is_quiet, options.verbosity) {
        (true, _) => "error",
        (_, 0) => "warn,aws_config=error,cloudtrail2sql=info",
        (_, 1) => "warn,aws_config=error,cloudtrail2sql=debug",
        _ => "debug",
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_ansi(options.is_coloured)
        .with_writer(AboveBars { bars });
    if options.is_json {
        log.json().init();
    } else {
        log.event_format(ForPeople).init();
    }
}

/// Writes to standard error while the bars are away.
struct AboveBars {
    bars: MultiProgress,
}

impl<'w> MakeWriter<'w> for AboveBars {
    type Writer = LineWriter<'w>;

    fn make_writer(&'w self) -> LineWriter<'w> {
        LineWriter { bars: &self.bars }
    }
}

struct LineWriter<'w> {
    bars: &'w MultiProgress,
}

impl Write for LineWriter<'_> {
    /// A line that nobody reads is lost, as in `… 2>&1 | head -1`. The load goes on: an error
    /// here would make the subscriber panic.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let written = self.bars.suspend(|| io::stderr().write(line));
        Ok(written.unwrap_or(line.len()))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// `error: what`, `  caused by: why`, and other fields behind.
struct ForPeople;

impl<S, N> FormatEvent<S, N> for ForPeople
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut told = Told::default();
        event.record(&mut told);
        let (word, colour) = match *event.metadata().level() {
            Level::ERROR => ("error: ", "\x1b[1;31m"),
            Level::WARN => ("warning: ", "\x1b[1;33m"),
            Level::INFO => ("", ""),
            Level::DEBUG => ("debug: ", "\x1b[2m"),
            Level::TRACE => ("trace: ", "\x1b[2m"),
        };
        if writer.has_ansi_escapes() && !word.is_empty() {
            write!(writer, "{colour}{word}\x1b[0m")?;
        } else {
            writer.write_str(word)?;
        }
        writeln!(writer, "{}{}", visible(&told.message), visible(&told.fields))?;
        if !told.cause.is_empty() {
            writeln!(writer, "  caused by: {}", visible(&told.cause))?;
        }
        Ok(())
    }
}

/// The fields of one event.
#[derive(Default)]
struct Told {
    message: String,
    cause: String,
    fields: String,
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "cause" => self.cause = format!("{value:?}"),
            name => self.fields.push_str(&format!(" {name}={value:?}")),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            "cause" => value.clone_into(&mut self.cause),
            name => self.fields.push_str(&format!(" {name}={value}")),
        }
    }
}

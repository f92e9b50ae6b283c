//! The log on standard error: text in the form of the other errors and warnings, or JSON.
//!
//! The progress bar is on the same terminal, so it is hidden while a line is written.

use std::fmt;
use std::io::{self, Write};

use indicatif::MultiProgress;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::cli::config::{Form, LogSettings};
use crate::cli::escape::{visible, visible_json};

/// Starts logging to standard error, above the bars.
///
/// # Panics
/// If logging was started before.
pub(crate) fn start(settings: LogSettings, bars: MultiProgress) {
    // Whatever aws_config warns of, it also returns as an error, which is printed.
    let filter = match (settings.is_quiet, settings.verbosity) {
        (true, _) => "error",
        (_, 0) => "warn,aws_config=error,cloudtrail2sql=info",
        (_, 1) => "warn,aws_config=error,cloudtrail2sql=debug",
        _ => "debug",
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_ansi(settings.is_coloured)
        .with_writer(AboveBars { bars, form: settings.form });
    match settings.form {
        Form::Text => log.event_format(TextFormat).init(),
        Form::Json => log.json().init(),
    }
}

/// Writes to standard error while the bars are hidden.
struct AboveBars {
    bars: MultiProgress,
    form: Form,
}

impl<'w> MakeWriter<'w> for AboveBars {
    type Writer = LineWriter<'w>;

    fn make_writer(&'w self) -> LineWriter<'w> {
        LineWriter { bars: &self.bars, form: self.form }
    }
}

struct LineWriter<'w> {
    bars: &'w MultiProgress,
    form: Form,
}

impl Write for LineWriter<'_> {
    /// Writes one line, as the subscriber passes it: whole.
    ///
    /// Ignores write errors, as in `… 2>&1 | head -1`: the load continues without its log. An error
    /// returned here would make the subscriber panic.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        // `TextFormat` has escaped the fields; its colours stay.
        let shown = match self.form {
            Form::Text => text,
            Form::Json => visible_json(&text).into_owned().into(),
        };
        let _ = self.bars.suspend(|| io::stderr().write_all(shown.as_bytes()));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// `error: MESSAGE FIELDS`, then `  caused by: CAUSE`.
struct TextFormat;

impl<S, N> FormatEvent<S, N> for TextFormat
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
        let mut fields = EventFields::default();
        event.record(&mut fields);
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
        writeln!(writer, "{}{}", visible(&fields.message), visible(&fields.others))?;
        if !fields.cause.is_empty() {
            writeln!(writer, "  caused by: {}", visible(&fields.cause))?;
        }
        Ok(())
    }
}

/// The fields of one event.
#[derive(Default)]
struct EventFields {
    message: String,
    cause: String,
    others: String,
}

impl Visit for EventFields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "cause" => self.cause = format!("{value:?}"),
            name => self.others.push_str(&format!(" {name}={value:?}")),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            "cause" => value.clone_into(&mut self.cause),
            name => self.others.push_str(&format!(" {name}={value}")),
        }
    }
}

//! What the rounds of a case come to, as lines of a Markdown table.

use std::time::Duration;

use crate::measure::Usage;

/// One case: our side and the reference, round by round.
pub struct Comparison {
    pub ours: String,
    pub reference: String,
    /// What the ratio should be, as people say it.
    pub target: &'static str,
    /// Whether the ratio is of CPU time rather than of wall time.
    pub by_cpu: bool,
    pub rounds: Vec<(Usage, Usage)>,
    /// Rows that our side loads or reads.
    pub rows: u64,
    /// JSON that they come from.
    pub json_bytes: u64,
}

/// The header of a table of [`Comparison`]s.
pub const HEADER: &str = "\
| ours | reference | ours s | reference s | ratio | target | CPU s: ours + server | reference | peak MiB | rows/s | MiB/s |
|---|---|---|---|---|---|---|---|---|---|---|";

impl Comparison {
    /// Returns its line of the table.
    pub fn line(&self) -> String {
        let time = |usage: &Usage| {
            let time = if self.by_cpu { usage.client_cpu } else { usage.wall };
            time.as_secs_f64()
        };
        let ours = Spread::of(self.rounds.iter().map(|(ours, _)| time(ours)));
        let reference = Spread::of(self.rounds.iter().map(|(_, reference)| time(reference)));
        let ratio = Spread::of(self.rounds.iter().map(|(ours, other)| time(ours) / time(other)));
        let median = |value: &dyn Fn(&(Usage, Usage)) -> Duration| {
            Spread::of(self.rounds.iter().map(|round| value(round).as_secs_f64())).median
        };
        let peak = self.rounds.iter().map(|(ours, _)| ours.peak_bytes).max().unwrap_or(0) >> 20;
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let (rows, mib) = (self.rows as f64, self.json_bytes as f64 / f64::from(1 << 20));
        format!(
            "| {} | {} | {ours} | {reference} | **{:.2}** ({:.2}–{:.2}) | {} | {:.2} + {:.2} | \
             {:.2} + {:.2} | {peak} | {:.0} | {:.0} |",
            self.ours,
            self.reference,
            ratio.median,
            ratio.min,
            ratio.max,
            self.target,
            median(&|(ours, _)| ours.client_cpu),
            median(&|(ours, _)| ours.server_cpu),
            median(&|(_, other)| other.client_cpu),
            median(&|(_, other)| other.server_cpu),
            rows / ours.median,
            mib / ours.median,
        )
    }
}

/// The median of some figures, with the least and the greatest.
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        let (below, above) = (figures[(figures.len() - 1) / 2], figures[figures.len() / 2]);
        Self {
            min: figures[0],
            median: f64::midpoint(below, above),
            max: figures[figures.len() - 1],
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} ({:.2}–{:.2})", self.median, self.min, self.max)
    }
}

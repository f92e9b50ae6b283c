//! Decides how an import ended. Pure.

use crate::cli::error::{Exit, RunError};
use crate::cli::output::equations;
use crate::import::End;
use crate::import::progress::Tally;

/// How a run ended, and the error that ended it. With an error, the exit is [`Exit::Failed`].
pub(super) type Verdict = (Exit, Option<RunError>);

/// Decides how a run ended: its load, its counters, and the building of indexes.
///
/// The first error decides, then a stop by the user, then losses. Counters that contradict each
/// other are an error, too.
pub(super) fn conclude(
    loaded: Result<End, RunError>,
    tally: &Tally,
    indexed: Result<End, RunError>,
) -> Verdict {
    let (loaded, indexed) = match (loaded, indexed) {
        (Err(error), _) | (_, Err(error)) => return (Exit::Failed, Some(error)),
        (Ok(loaded), Ok(indexed)) => (loaded, indexed),
    };
    if !tally.is_balanced() {
        let equation = equations(tally).join("; ");
        return (Exit::Failed, Some(RunError::Unbalanced { equation }));
    }
    let exit = if loaded == End::Stopped || indexed == End::Stopped {
        Exit::Interrupted
    } else if tally.has_losses() {
        Exit::LeftOut
    } else {
        Exit::Complete
    };
    (exit, None)
}

/// Returns the verdict after one more step: the first error decides.
pub(super) fn conclude_after(verdict: Verdict, step: Result<(), RunError>) -> Verdict {
    match (verdict, step) {
        ((_, None), Err(error)) => (Exit::Failed, Some(error)),
        (verdict, _) => verdict,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::import::progress::Count;

    const ENDS: [Option<End>; 3] = [Some(End::Complete), Some(End::Stopped), None];

    /// Returns the end of a step; `None` is an error with this name.
    fn end(end: Option<End>, name: &str) -> Result<End, RunError> {
        end.ok_or_else(|| failure(name))
    }

    fn failure(name: &str) -> RunError {
        RunError::Output(io::Error::other(name.to_owned()))
    }

    /// Returns counters of three objects.
    fn tally(has_losses: bool, is_balanced: bool) -> Tally {
        let objects = |objects| Count { objects, bytes: 0 };
        let failed = u64::from(has_losses);
        let loaded = if is_balanced { 3 - failed } else { 1 };
        Tally {
            listed: objects(3),
            loaded: objects(loaded),
            failed: objects(failed),
            ..Tally::default()
        }
    }

    /// Returns the exit, and the name of the error.
    fn shown(verdict: &Verdict) -> (Exit, String) {
        let error = match &verdict.1 {
            Some(RunError::Output(error)) => error.to_string(),
            Some(RunError::Unbalanced { .. }) => "unbalanced".to_owned(),
            Some(other) => panic!("{other}"),
            None => String::new(),
        };
        (verdict.0, error)
    }

    fn expected(
        loaded: Option<End>,
        indexed: Option<End>,
        has_losses: bool,
        is_balanced: bool,
    ) -> (Exit, &'static str) {
        let stopped = Some(End::Stopped);
        match (loaded, indexed, is_balanced, has_losses) {
            (None, ..) => (Exit::Failed, "load"),
            (_, None, ..) => (Exit::Failed, "index"),
            (_, _, false, _) => (Exit::Failed, "unbalanced"),
            (end, other, ..) if end == stopped || other == stopped => (Exit::Interrupted, ""),
            (.., true) => (Exit::LeftOut, ""),
            (.., false) => (Exit::Complete, ""),
        }
    }

    #[test]
    fn the_first_error_decides_then_a_stop_then_losses() {
        let both = [false, true];
        let mut cases = 0;
        for loaded in ENDS {
            for indexed in ENDS {
                for (has_losses, is_balanced) in
                    both.into_iter().flat_map(|one| both.map(|other| (one, other)))
                {
                    let tally = tally(has_losses, is_balanced);
                    assert_eq!(tally.has_losses(), has_losses);
                    assert_eq!(tally.is_balanced(), is_balanced);
                    let verdict = conclude(end(loaded, "load"), &tally, end(indexed, "index"));
                    let (exit, error) = expected(loaded, indexed, has_losses, is_balanced);
                    let case = (loaded, indexed, has_losses, is_balanced);
                    assert_eq!(shown(&verdict), (exit, error.to_owned()), "{case:?}");
                    cases += 1;
                }
            }
        }
        assert_eq!(cases, 36);
    }

    /// The same, written out for what users meet.
    #[test]
    fn each_way_to_end_has_its_exit() {
        let (complete, stopped) = (Some(End::Complete), Some(End::Stopped));
        for (loaded, indexed, has_losses, is_balanced, exit, error) in [
            (complete, complete, false, true, Exit::Complete, ""),
            (complete, complete, true, true, Exit::LeftOut, ""),
            (stopped, complete, false, true, Exit::Interrupted, ""),
            (stopped, complete, true, true, Exit::Interrupted, ""),
            (complete, stopped, true, true, Exit::Interrupted, ""),
            (complete, None, true, true, Exit::Failed, "index"),
            (None, complete, true, false, Exit::Failed, "load"),
            (complete, complete, false, false, Exit::Failed, "unbalanced"),
            (stopped, complete, true, false, Exit::Failed, "unbalanced"),
        ] {
            let tally = tally(has_losses, is_balanced);
            let verdict = conclude(end(loaded, "load"), &tally, end(indexed, "index"));
            assert_eq!(shown(&verdict), (exit, error.to_owned()));
        }
    }

    #[test]
    fn a_later_error_fails_the_run_and_never_replaces_the_first() {
        for exit in [Exit::Complete, Exit::LeftOut, Exit::Interrupted] {
            assert_eq!(shown(&conclude_after((exit, None), Ok(()))), (exit, String::new()));
            let failed = conclude_after((exit, None), Err(failure("record")));
            assert_eq!(shown(&failed), (Exit::Failed, "record".to_owned()));
        }
        for step in [Ok(()), Err(failure("record"))] {
            let failed = conclude_after((Exit::Failed, Some(failure("load"))), step);
            assert_eq!(shown(&failed), (Exit::Failed, "load".to_owned()));
        }
    }
}

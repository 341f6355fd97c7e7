//! Writes of several DPs whose parts have different results.

use crate::report::error::CommandError;

/// Results of the parts of one write, by DP.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    acknowledged: Vec<u16>,
    uncertain: Vec<u16>,
    failed: Vec<u16>,
}

impl Tally {
    /// Adds the result of one part.
    pub(crate) fn add(&mut self, dps: Vec<u16>, result: Result<(), &CommandError>) {
        let group = match result {
            Ok(()) => &mut self.acknowledged,
            Err(error) if error.may_have_acted() => &mut self.uncertain,
            Err(_) => &mut self.failed,
        };
        group.extend(dps);
    }

    /// Returns the error of the whole; `cause` is the first failure.
    pub(crate) fn result(mut self, cause: CommandError) -> CommandError {
        let groups = [&mut self.acknowledged, &mut self.uncertain, &mut self.failed];
        if groups.iter().filter(|group| !group.is_empty()).count() < 2 {
            return cause;
        }
        groups.into_iter().for_each(|group| {
            group.sort_unstable();
            group.dedup();
        });
        let Self { acknowledged, uncertain, failed } = self;
        CommandError::Partial { acknowledged, uncertain, failed, cause: Box::new(cause) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustuya_proto::DownReason;

    fn tally(parts: &[(u16, Option<CommandError>)]) -> CommandError {
        let mut tally = Tally::default();
        for (dp, error) in parts {
            tally.add(vec![*dp], error.as_ref().map_or(Ok(()), Err));
        }
        let first = parts.iter().find_map(|(_, error)| error.clone());
        tally.result(first.expect("a failure"))
    }

    #[test]
    fn what_ends_the_same_for_all_is_told_as_that() {
        let lost = CommandError::ConnectionLost { reason: DownReason::PeerClosed };
        let both = [(1, Some(CommandError::Unanswered)), (2, Some(lost))];
        assert_eq!(tally(&both), CommandError::Unanswered);
        assert_eq!(tally(&[(1, Some(CommandError::Busy)), (2, Some(CommandError::Closed))]), CommandError::Busy);
    }

    #[test]
    fn what_ends_differently_is_told_by_dp() {
        let error = tally(&[
            (3, Some(CommandError::Unanswered)),
            (2, None),
            (1, None),
            (4, Some(CommandError::NotConnected { reason: Some(DownReason::Unreachable) })),
        ]);
        let CommandError::Partial { acknowledged, uncertain, failed, .. } = &error else { panic!("{error}") };
        assert_eq!((&**acknowledged, &**uncertain, &**failed), (&[1, 2][..], &[3][..], &[4][..]));
        let text = error.to_string();
        assert!(text.contains("acknowledged DP 1, 2; it may have taken DP 3; it did not take DP 4: "), "{text}");
    }
}

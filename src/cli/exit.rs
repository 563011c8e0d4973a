//! Every exit code, documented once.

use std::process::ExitCode;

use crate::model::names;

names! {
    /// How a command ended; the numbers are part of the public interface.
    Exit {
        /// 0: done; verdict `complete` or `limited`.
        Done = "done",
        /// 1: findings at or above `--fail-on`.
        Findings = "findings",
        /// 5: sources were read, but a result could not be kept or delivered, or a check failed.
        NotKept = "not-kept",
        /// 4: some actions failed, were refused, or found the share changed in the meantime.
        ActionsFailed = "actions-failed",
        /// 3: something in scope could not be read: verdict `incomplete`.
        Incomplete = "incomplete",
        /// 2: wrong usage or configuration; nothing was sent.
        Usage = "usage",
        /// 130: interrupted.
        Interrupted = "interrupted",
    }
}

impl Exit {
    /// The number that the operating system is told.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::Incomplete => 3,
            Self::ActionsFailed => 4,
            Self::NotKept => 5,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_that_apply_the_worst_is_told() {
        assert!(Exit::Incomplete > Exit::ActionsFailed);
        assert!(Exit::ActionsFailed > Exit::NotKept);
        assert!(Exit::NotKept > Exit::Findings);
        assert!(Exit::Findings > Exit::Done);
    }
}

//! When and after which pause a call is sent again.

use std::time::Duration;

use super::{LONGEST, OperationClass};

/// Which failures are tried again, how often and how soon. Data, so that it can be edited.
///
/// ```
/// use firstbyte_client::{OperationClass, RetryPolicy};
///
/// let policy = RetryPolicy { attempts: 2, ..RetryPolicy::default() };
/// assert!(policy.may_resend(OperationClass::Idempotent));
/// assert!(!policy.may_resend(OperationClass::NonIdempotent));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The most attempts of one call, the first one included. 3; zero counts as 1.
    pub attempts: u32,
    /// The mean pause after the first attempt; it doubles with each further one. 0.1 s.
    pub first_pause: Duration,
    /// The longest pause. 1 s.
    pub longest_pause: Duration,
    /// Classes that are sent again although request bytes were accepted: idempotent, and
    /// convergent where its probe agrees.
    pub resend: Vec<OperationClass>,
    /// Answers after which idempotent calls are sent again: 429, 502, 503, 504.
    pub statuses: Vec<u16>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 3,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(1),
            resend: vec![OperationClass::Idempotent, OperationClass::Convergent],
            statuses: vec![429, 502, 503, 504],
        }
    }
}

impl RetryPolicy {
    /// One attempt, whatever happens.
    #[must_use]
    pub fn never() -> Self {
        Self { attempts: 1, ..Self::default() }
    }

    /// Whether a call of this class may be sent again after request bytes were accepted.
    ///
    /// Never for [`OperationClass::NonIdempotent`], whatever `resend` says.
    #[must_use]
    pub fn may_resend(&self, class: OperationClass) -> bool {
        class != OperationClass::NonIdempotent && self.resend.contains(&class)
    }

    pub(crate) fn may_repeat_after_status(&self, class: OperationClass, status: u16) -> bool {
        class == OperationClass::Idempotent
            && self.may_resend(class)
            && self.statuses.contains(&status)
    }

    /// The pause after attempt number `attempt`: exponential, half of it at random.
    ///
    /// Callers that failed together do not come back together.
    pub(crate) fn pause_after(&self, attempt: u32) -> Duration {
        let longest = self.longest_pause.min(LONGEST);
        let mean = self.first_pause.saturating_mul(1 << (attempt - 1).min(16)).min(longest * 2);
        mean.mul_f64(0.75 + 0.5 * fastrand::f64()).min(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_within_their_bounds() {
        let policy = RetryPolicy::default();
        for _ in 0..1000 {
            let first = policy.pause_after(1);
            assert!((75..=125).contains(&first.as_millis()), "{first:?}");
            let second = policy.pause_after(2);
            assert!((150..=250).contains(&second.as_millis()), "{second:?}");
            assert_eq!(policy.pause_after(40), policy.longest_pause);
        }
    }

    #[test]
    fn what_is_not_idempotent_is_never_sent_again_even_if_the_policy_says_so() {
        let policy =
            RetryPolicy { resend: vec![OperationClass::NonIdempotent], ..RetryPolicy::default() };
        assert!(!policy.may_resend(OperationClass::NonIdempotent));
        assert!(!policy.may_repeat_after_status(OperationClass::NonIdempotent, 503));
        assert!(!policy.may_repeat_after_status(OperationClass::Convergent, 503));
    }
}

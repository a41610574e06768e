//! Futures dropped before their end, at every point where they can be.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use pin_project_lite::pin_project;

/// A sweep that needs more polls than this is taken for one that never ends.
const MAX_POLLS: usize = 10_000;

/// Polls `future` at most `n` times in a row, without a runtime, and then drops it.
///
/// Its output, if one of these polls completed it. For futures that make progress by being polled;
/// one that waits for a timer or a socket needs [`drop_after_polls`].
pub fn poll_times<F: Future>(future: F, n: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..n).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

/// A future that polls `future` at most `n` times, each time after it was woken.
///
/// When the n-th poll leaves it pending, `future` is dropped at that suspension at once and the
/// output is `None`. With `n` = 0 it is dropped without having been polled.
pub const fn drop_after_polls<F: Future>(future: F, n: usize) -> DropAfterPolls<F> {
    DropAfterPolls { future: Some(future), left: n }
}

/// Drops the future that `make` builds at its first suspension, at its second, and so on, until one
/// runs to its end. Returns how many polls that one took.
///
/// `make` is called once per round, `check` after each, when the future of the round has been
/// dropped: with the number of polls allowed and the output, `None` for a round that was cut short.
///
/// # Panics
///
/// If a future isn't complete after 10,000 polls.
pub async fn cancel_sweep<F: Future>(
    mut make: impl FnMut() -> F,
    mut check: impl FnMut(usize, Option<F::Output>),
) -> usize {
    for polls in 0..=MAX_POLLS {
        let output = drop_after_polls(make(), polls).await;
        let complete = output.is_some();
        check(polls, output);
        if complete {
            return polls;
        }
    }
    panic!("the future isn't complete after {MAX_POLLS} polls");
}

pin_project! {
    /// The future of [`drop_after_polls`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct DropAfterPolls<F> {
        #[pin]
        future: Option<F>,
        left: usize,
    }
}

impl<F: Future> Future for DropAfterPolls<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut output = None;
        if *this.left > 0
            && let Some(future) = this.future.as_mut().as_pin_mut()
        {
            *this.left -= 1;
            output = match future.poll(context) {
                Poll::Pending if *this.left > 0 => return Poll::Pending,
                Poll::Pending => None,
                Poll::Ready(output) => Some(output),
            };
        }
        this.future.set(None);
        Poll::Ready(output)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::pending, time::Duration};

    use tokio::{task::yield_now, time::sleep};

    use super::*;

    struct SetOnDrop<'a>(&'a Cell<bool>);

    impl Drop for SetOnDrop<'_> {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }

    #[tokio::test]
    async fn a_sweep_stops_at_every_suspension_once() {
        let (steps, dropped) = (Cell::new(0), Cell::new(false));
        let make = || {
            steps.set(0);
            dropped.set(false);
            let guard = SetOnDrop(&dropped);
            async {
                let _guard = guard;
                for _ in 0..3 {
                    steps.set(steps.get() + 1);
                    yield_now().await;
                }
                "done"
            }
        };
        let mut rounds = Vec::new();
        let polls = cancel_sweep(make, |polls, output| {
            assert!(dropped.get(), "the future is gone when the check runs");
            rounds.push((polls, steps.get(), output));
        })
        .await;
        assert_eq!(polls, 4, "three suspensions make four polls");
        assert_eq!(
            rounds,
            [(0, 0, None), (1, 1, None), (2, 2, None), (3, 3, None), (4, 3, Some("done"))]
        );
    }

    #[tokio::test]
    async fn the_future_is_dropped_with_its_last_poll_not_with_the_adapter() {
        let dropped = Cell::new(false);
        let guard = SetOnDrop(&dropped);
        let mut adapter = pin!(drop_after_polls(
            async move {
                let _guard = guard;
                pending::<()>().await;
            },
            1,
        ));
        assert_eq!(adapter.as_mut().await, None);
        assert!(dropped.get());
    }

    #[tokio::test]
    async fn a_future_with_io_is_woken_between_its_polls() {
        let output = drop_after_polls(
            async {
                sleep(Duration::from_millis(5)).await;
                7
            },
            1_000,
        );
        assert_eq!(output.await, Some(7));
    }

    #[test]
    fn a_plain_future_is_polled_that_often() {
        let polls = Cell::new(0);
        let third = || {
            std::future::poll_fn(|_| {
                polls.set(polls.get() + 1);
                if polls.get() == 3 { Poll::Ready(()) } else { Poll::Pending }
            })
        };
        assert_eq!(poll_times(third(), 2), None);
        assert_eq!(polls.replace(0), 2);
        assert_eq!(poll_times(third(), 9), Some(()), "it stops when the future is complete");
        assert_eq!(polls.get(), 3);
    }
}

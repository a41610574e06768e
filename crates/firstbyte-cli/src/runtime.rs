//! The runtime of a command, and its end.

use tokio::runtime::Runtime;

/// Runs a command, and does not wait for what still blocks a thread: a look-up of a host name that hangs would outlast
/// `--timeout` and Ctrl-C.
pub(crate) fn run<T>(runtime: Runtime, command: impl Future<Output = T>) -> T {
    let result = runtime.block_on(command);
    runtime.shutdown_background();
    result
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use tokio::{runtime::Builder, sync::oneshot, task::spawn_blocking};

    use super::*;

    #[test]
    fn what_blocks_a_thread_does_not_delay_the_end() {
        let (begun, has_begun) = oneshot::channel();
        let (_release, released) = mpsc::channel::<()>();
        let (ended, has_ended) = mpsc::channel();
        run(Builder::new_current_thread().build().unwrap(), async {
            spawn_blocking(move || {
                begun.send(()).unwrap();
                _ = released.recv_timeout(Duration::from_secs(2));
                _ = ended.send(());
            });
            has_begun.await.unwrap();
        });
        assert_eq!(has_ended.try_recv(), Err(mpsc::TryRecvError::Empty));
    }
}

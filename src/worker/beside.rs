//! A second thread for each that asks for one, kept as long as that: to start one for each process takes longer than to
//! observe a small one.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::{ThreadPool, ThreadPoolBuilder};

thread_local! {
    static BESIDE: io::Result<ThreadPool> = ThreadPoolBuilder::new()
        .num_threads(1)
        .thread_name(|_| "beside".into())
        .build()
        .map_err(io::Error::other);
}

/// Does both at once, one of them on the thread beside this one, and waits for both. If that one panics, it has come to
/// nothing.
///
/// # Errors
/// There is no thread to be had; nothing was done.
pub fn with<R>(beside: impl FnOnce() + Send, here: impl FnOnce() -> R) -> io::Result<R> {
    BESIDE.with(|pool| {
        let pool = pool
            .as_ref()
            .map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
        Ok(pool.in_place_scope(|scope| {
            scope.spawn(|_| drop(catch_unwind(AssertUnwindSafe(beside))));
            here()
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::thread::current;

    #[test]
    fn both_go_on_at_once_and_the_thread_is_the_same_each_time() {
        let mut seen = Vec::new();
        for _ in 0..2 {
            let ((to_here, from_beside), (to_beside, from_here)) = (channel(), channel());
            let answered = with(
                move || {
                    let asked: u32 = from_here.recv().expect("it asks");
                    to_here
                        .send((asked + 1, current().id()))
                        .expect("it listens");
                },
                || {
                    to_beside.send(1).expect("it listens");
                    from_beside.recv().expect("it answers")
                },
            );
            let (number, id) = answered.expect("there are threads");
            assert_eq!(number, 2);
            seen.push(id);
        }
        assert_eq!(seen[0], seen[1]);
        assert_ne!(seen[0], current().id());
    }

    #[test]
    fn a_panic_beside_is_nothing() {
        let done = with(|| panic!("beside"), || 1);
        assert_eq!(done.expect("there are threads"), 1);
        assert_eq!(with(|| (), || 2).expect("and still"), 2);
    }
}

// SPDX-License-Identifier: MIT

//! What the programs of tokio's tasks share: the runtime, and work that is done inside of a task.

use crate::{arg, asked_clock, least, more, processors, FIRST_TRY};
use std::future::Future;
use tokio::runtime::{Builder, Runtime};

/// With `workers=1` the one for a single thread, else the other, of a worker a processor.
pub fn runtime() -> Runtime {
    let workers = arg("workers", processors());
    if workers == 1 {
        return Builder::new_current_thread().enable_time().build().unwrap();
    }
    Builder::new_multi_thread().worker_threads(workers).enable_time().build().unwrap()
}

/// Does it in a task of the runtime.
pub fn inside(work: impl Future<Output = ()> + Send + 'static) {
    runtime().block_on(async { tokio::spawn(work).await.unwrap() });
}

/// here() for what is awaited.
pub async fn here<Done: Future<Output = ()>>(work: impl Fn(usize) -> Done) -> f64 {
    let (least, clock) = (least(), asked_clock());
    let mut n = FIRST_TRY;
    loop {
        let start = clock();
        work(n).await;
        let took = clock() - start;
        if took >= least && n > FIRST_TRY {
            return took as f64 / n as f64;
        }
        n = more(n, took, least);
    }
}

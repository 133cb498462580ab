//! The threads on which requests to stores are made.

use std::sync::OnceLock;
use tokio::runtime::{Builder, Runtime};

/// Two threads, for all stores of the process: they wait more than they work.
const THREADS: usize = 2;

/// The runtime; made at the first call. Callers wait on threads of their own.
pub(super) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("store")
            .enable_all()
            .build()
            .expect("a process that cannot start two threads cannot run the pipeline either")
    })
}

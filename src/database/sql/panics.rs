//! A panic of a driver becomes an error.
//!
//! sqlx trusts the server: an answer that names 2^60 columns makes it panic, for example.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::task::Poll;

thread_local! {
    /// Whether this thread runs a driver's code, whose panics are reported as errors.
    static IS_IN_DRIVER: Cell<bool> = const { Cell::new(false) };
}

/// Waits for a request to a driver. If the driver panics, this returns a fatal error; the caller
/// drops the connection, as after every error.
pub(super) async fn without_panic<T>(
    request: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    silence_drivers();
    let mut request = std::pin::pin!(request);
    std::future::poll_fn(|context| {
        // After a panic, the request is only dropped.
        let was_in_driver = IS_IN_DRIVER.replace(true);
        let polled = catch_unwind(AssertUnwindSafe(|| request.as_mut().poll(context)));
        IS_IN_DRIVER.set(was_in_driver);
        polled.unwrap_or_else(|payload| Poll::Ready(Err(unusable_answer(&*payload))))
    })
    .await
}

/// Keeps the report of a panic off standard error while a driver runs. Other panics are reported as
/// before.
fn silence_drivers() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !IS_IN_DRIVER.get() {
                report(panic);
            }
        }));
    });
}

fn unusable_answer(payload: &(dyn Any + Send)) -> sqlx::Error {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let reason = text.unwrap_or("no reason given");
    sqlx::Error::Decode(
        format!("the database driver cannot read the server's answer: {reason}").into(),
    )
}

use std::sync::Arc;

use tokio::time::{advance, timeout};

use super::*;

fn rate(limiter: &RateLimiter) -> Option<f64> {
    limiter.state.lock().unwrap().rate(Instant::now())
}

/// Sends `count` requests, and returns how long that took.
async fn send(limiter: &RateLimiter, count: usize) -> Duration {
    let start = Instant::now();
    for _ in 0..count {
        limiter.acquire().await;
    }
    start.elapsed()
}

/// Sends requests that are answered at once.
async fn answer(limiter: &RateLimiter, accepted: usize, refused: usize) {
    send(limiter, accepted + refused).await;
    (0..accepted).for_each(|_| limiter.accepted());
    (0..refused).for_each(|_| limiter.refused());
}

/// Returns a limiter whose rate was cut when 200 of 401 requests were accepted.
async fn cut() -> RateLimiter {
    let limiter = RateLimiter::new("trail");
    answer(&limiter, 200, 201).await;
    limiter
}

#[tokio::test(start_paused = true)]
async fn nothing_waits_before_the_first_refusal() {
    assert_eq!(send(&RateLimiter::new("trail"), 10_007).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn refusals_of_half_the_requests_hold_up_nothing() {
    let limiter = RateLimiter::new("trail");
    for _ in 0..41 {
        answer(&limiter, 100, 100).await;
        advance(Duration::from_millis(300)).await;
    }
    assert_eq!((rate(&limiter), send(&limiter, 10_007).await), (None, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn refusals_of_most_requests_cut_the_rate_to_what_is_accepted() {
    let limiter = cut().await;
    assert_eq!(rate(&limiter), Some(200.0));
    // Answers to requests that were sent before the cut.
    for _ in 0..300 {
        limiter.refused();
    }
    assert_eq!(rate(&limiter), Some(200.0));
    advance(BURST).await;
    answer(&limiter, 60, 70).await;
    let again = rate(&limiter).unwrap();
    assert!((55.0..=60.0).contains(&again), "{again}");
}

#[tokio::test(start_paused = true)]
async fn few_refusals_do_not_stop_a_short_import() {
    let limiter = RateLimiter::new("trail");
    answer(&limiter, 0, 19).await;
    assert_eq!(rate(&limiter), None);
    advance(Duration::from_secs(3)).await;
    answer(&limiter, 0, 20).await;
    assert_eq!(rate(&limiter), Some(RATE_MIN));
}

#[tokio::test(start_paused = true)]
async fn the_rate_doubles_in_five_seconds_until_there_is_no_limit() {
    let limiter = cut().await;
    for doubled in [200.0, 400.0, 800.0, 1_600.0, 3_200.0] {
        let rate = rate(&limiter).unwrap();
        assert!((rate - doubled).abs() < 0.1, "{rate}, not {doubled}");
        let took = send(&limiter, 100).await;
        let evenly = Duration::from_secs_f64(100.0 / doubled);
        assert!(
            (evenly.mul_f64(0.9)..=evenly + LATE).contains(&(took + LATE)),
            "100 requests at {doubled}: {took:?}"
        );
        advance(DOUBLING.saturating_sub(took)).await;
    }
    assert_eq!((rate(&limiter), send(&limiter, 10_007).await), (None, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_cut_slows_requests_that_already_wait() {
    let limiter = Arc::new(cut().await);
    advance(BURST).await;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let limiter = Arc::clone(&limiter);
        waiting.spawn(async move { limiter.acquire().await });
    }
    tokio::task::yield_now().await;
    let start = Instant::now();
    (0..20).for_each(|_| limiter.refused());
    waiting.join_all().await;
    // At the previous 230 requests per second this would take 0.4 s.
    assert!(start.elapsed() > Duration::from_millis(1_500), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_wait_costs_no_request() {
    let limiter = cut().await;
    send(&limiter, 2).await;
    for _ in 0..41 {
        assert!(timeout(Duration::ZERO, limiter.acquire()).await.is_err());
    }
    assert!(send(&limiter, 1).await <= Duration::from_millis(5));
}

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

/// Returns a limiter whose rate was cut when 400 requests per second were sent.
async fn cut() -> RateLimiter {
    let limiter = RateLimiter::new("trail");
    send(&limiter, 400).await;
    limiter.slow_down();
    limiter
}

#[tokio::test(start_paused = true)]
async fn nothing_waits_before_the_first_refusal() {
    assert_eq!(send(&RateLimiter::new("trail"), 10_007).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_refusals_halves_the_measured_rate_once() {
    let limiter = cut().await;
    for _ in 0..30 {
        advance(Duration::from_millis(33)).await;
        send(&limiter, 1).await;
        limiter.slow_down();
    }
    // Almost a second has passed, in which the rate grew by 15 %.
    assert!((200.0..230.0).contains(&rate(&limiter).unwrap()), "{:?}", rate(&limiter));
    let took = send(&limiter, 111).await;
    assert!((450..500).contains(&took.as_millis()), "111 requests took {took:?}");
    limiter.slow_down();
    let halved = rate(&limiter).unwrap();
    assert!((100.0..125.0).contains(&halved), "the next burst: {halved}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_far_above_what_is_sent_is_cut_to_half_of_what_is_sent() {
    let limiter = cut().await;
    advance(Duration::from_secs(20)).await;
    assert!(rate(&limiter).unwrap() > 3_000.0);
    send(&limiter, 160).await;
    limiter.slow_down();
    assert_eq!(rate(&limiter), Some(80.0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_first_requests_does_not_stop_a_short_import() {
    let limiter = RateLimiter::new("trail");
    send(&limiter, 1).await;
    limiter.slow_down();
    assert_eq!(rate(&limiter), Some(MEASURED_MIN / 2.0));
}

#[tokio::test(start_paused = true)]
async fn a_rate_not_tried_yet_is_not_cut_again() {
    let limiter = cut().await;
    for _ in 0..5 {
        advance(Duration::from_secs(4)).await;
        limiter.slow_down();
        assert_eq!(rate(&limiter), Some(200.0));
    }
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
    // There is no limit any more, as at the start.
    advance(Duration::from_secs(3)).await;
    limiter.slow_down();
    assert_eq!(rate(&limiter), Some(MEASURED_MIN / 2.0));
}

#[tokio::test(start_paused = true)]
async fn no_refusal_makes_it_slower_than_the_floor() {
    let limiter = cut().await;
    for _ in 0..41 {
        advance(BURST).await;
        send(&limiter, 1).await;
        limiter.slow_down();
    }
    assert_eq!(rate(&limiter), Some(RATE_MIN));
    send(&limiter, 1).await;
    // Less than 100 ms each, because the rate grows.
    let took = send(&limiter, 3).await;
    assert!((280..300).contains(&took.as_millis()), "three requests took {took:?}");
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
    limiter.slow_down();
    waiting.join_all().await;
    // At the previous 230 requests per second this would take 0.4 s.
    assert!(start.elapsed() > Duration::from_millis(700), "{:?}", start.elapsed());
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

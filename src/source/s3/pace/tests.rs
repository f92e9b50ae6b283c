use tokio::time::{advance, timeout};

use super::*;

fn rate(pace: &Pace) -> Option<f64> {
    pace.state.lock().unwrap().rate(Instant::now())
}

/// Takes turns, and returns how long that took.
async fn turns(pace: &Pace, count: usize) -> Duration {
    let start = Instant::now();
    for _ in 0..count {
        pace.turn().await;
    }
    start.elapsed()
}

/// A pace cut when 400 requests a second were sent.
async fn cut() -> Pace {
    let pace = Pace::new("trail");
    turns(&pace, 400).await;
    pace.refused();
    pace
}

#[tokio::test(start_paused = true)]
async fn nothing_waits_before_the_first_refusal() {
    assert_eq!(turns(&Pace::new("trail"), 10_007).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_refusals_halves_the_measured_rate_once() {
    let pace = cut().await;
    for _ in 0..30 {
        advance(Duration::from_millis(33)).await;
        turns(&pace, 1).await;
        pace.refused();
    }
    // Almost a second has passed, in which it grew by 15 %.
    assert!((200.0..230.0).contains(&rate(&pace).unwrap()), "{:?}", rate(&pace));
    let took = turns(&pace, 111).await;
    assert!((450..500).contains(&took.as_millis()), "111 turns took {took:?}");
    pace.refused();
    let halved = rate(&pace).unwrap();
    assert!((100.0..125.0).contains(&halved), "the next burst: {halved}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_far_above_what_is_sent_is_cut_to_half_of_what_is_sent() {
    let pace = cut().await;
    advance(Duration::from_secs(20)).await;
    assert!(rate(&pace).unwrap() > 3_000.0);
    turns(&pace, 160).await;
    pace.refused();
    assert_eq!(rate(&pace), Some(80.0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_first_requests_does_not_stop_a_short_import() {
    let pace = Pace::new("trail");
    turns(&pace, 1).await;
    pace.refused();
    assert_eq!(rate(&pace), Some(MEASURED_MIN / 2.0));
}

#[tokio::test(start_paused = true)]
async fn a_rate_not_tried_yet_is_not_cut_again() {
    let pace = cut().await;
    for _ in 0..5 {
        advance(Duration::from_secs(4)).await;
        pace.refused();
        assert_eq!(rate(&pace), Some(200.0));
    }
}

#[tokio::test(start_paused = true)]
async fn the_rate_doubles_in_five_seconds_until_there_is_no_limit() {
    let pace = cut().await;
    for doubled in [200.0, 400.0, 800.0, 1_600.0, 3_200.0] {
        let rate = rate(&pace).unwrap();
        assert!((rate - doubled).abs() < 0.1, "{rate}, not {doubled}");
        let took = turns(&pace, 100).await;
        let evenly = Duration::from_secs_f64(100.0 / doubled);
        assert!(
            (evenly.mul_f64(0.9)..=evenly + LATE).contains(&(took + LATE)),
            "100 turns at {doubled}: {took:?}"
        );
        advance(DOUBLING.saturating_sub(took)).await;
    }
    assert_eq!((rate(&pace), turns(&pace, 10_007).await), (None, Duration::ZERO));
    // From here on it is as at the start.
    advance(Duration::from_secs(3)).await;
    pace.refused();
    assert_eq!(rate(&pace), Some(MEASURED_MIN / 2.0));
}

#[tokio::test(start_paused = true)]
async fn no_refusal_makes_it_slower_than_the_floor() {
    let pace = cut().await;
    for _ in 0..41 {
        advance(BURST).await;
        turns(&pace, 1).await;
        pace.refused();
    }
    assert_eq!(rate(&pace), Some(RATE_MIN));
    turns(&pace, 1).await;
    // Less than 100 ms each, as it grows.
    let took = turns(&pace, 3).await;
    assert!((280..300).contains(&took.as_millis()), "three turns took {took:?}");
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_already_are_slowed_by_a_cut() {
    let pace = Arc::new(cut().await);
    advance(BURST).await;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let pace = Arc::clone(&pace);
        waiting.spawn(async move { pace.turn().await });
    }
    tokio::task::yield_now().await;
    let start = Instant::now();
    pace.refused();
    waiting.join_all().await;
    // At the 230 a second of before the cut, it were 0.4 s.
    assert!(start.elapsed() > Duration::from_millis(700), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_turn_given_up_is_not_lost() {
    let pace = cut().await;
    turns(&pace, 2).await;
    for _ in 0..41 {
        assert!(timeout(Duration::ZERO, pace.turn()).await.is_err());
    }
    assert!(turns(&pace, 1).await <= Duration::from_millis(5));
}

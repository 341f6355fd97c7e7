use super::*;
use serde_json::json;

fn set(dps: &Value) -> Request {
    let dps = dps.as_object().expect("an object");
    of_one_caller(Operation::Set(Writes::new(dps)))
}

fn of_one_caller(operation: Operation) -> Request {
    let mut request = Request::new(operation, None);
    request.add_caller(Slot::new(Caller::Answer));
    request
}

fn ending(mut request: Request, ends: proto::Instant) -> Request {
    request.waiters.iter_mut().for_each(|waiter| waiter.ends = Some(ends));
    request
}

fn join(requests: impl IntoIterator<Item = Request>) -> Request {
    let mut requests = requests.into_iter();
    let mut first = requests.next().expect("at least one");
    for other in requests {
        assert!(first.merge(Box::new(other)).is_none());
    }
    first.recompute_writes();
    first
}

fn written(request: &Request) -> &str {
    match &request.operation {
        Operation::Set(writes) => &writes.json,
        _ => "",
    }
}

fn slot(request: &Request) -> Arc<Slot> {
    Arc::clone(&request.waiters.first().expect("somebody").slot)
}

fn at(ms: u64) -> proto::Instant {
    proto::Instant::ZERO + Duration::from_millis(ms)
}

#[test]
fn later_writes_win_when_merged() {
    let mut first = join([set(&json!({ "1": true, "2": 5 })), set(&json!({ "2": 6, "3": "x" }))]);
    assert_eq!(written(&first), r#"{"1":true,"2":6,"3":"x"}"#);
    assert_eq!(first.slots().count(), 2);
    let mut other = set(&json!({ "1": 1 }));
    other.cid = Cid::new("child").ok();
    assert!(first.merge(Box::new(other)).is_some());
}

#[test]
fn who_leaves_a_joined_write_takes_along_its_own_alone() {
    let mut all = join([set(&json!({ "1": true })), set(&json!({ "1": false, "2": 6 })), set(&json!({ "3": "y" }))]);
    assert_eq!(written(&all), r#"{"1":false,"2":6,"3":"y"}"#);
    let second = Arc::clone(&all.waiters.get(1).expect("three").slot);
    assert_eq!(all.take_waiters(|waiter| Arc::ptr_eq(&waiter.slot, &second)).len(), 1);
    all.recompute_writes();
    assert_eq!(written(&all), r#"{"1":true,"3":"y"}"#, "what the second had replaced is wanted again");
}

#[test]
fn each_caller_has_its_own_time_limit_in_a_joined_write() {
    let usual = Duration::from_secs(5);
    let hurried = ending(set(&json!({ "1": 1 })), at(500));
    let mut all = join([hurried, set(&json!({ "2": 2 })), ending(set(&json!({ "3": 3 })), at(9000))]);
    all.set_answer_limits(at(100), usual);
    let limits: Vec<_> = all.waiters.iter().map(|waiter| waiter.answer_by).collect();
    assert_eq!(limits, [Some(at(500)), Some(at(5100)), Some(at(9000))]);
    assert_eq!(all.answer, Some(Duration::from_millis(8900)), "as long as anybody waits");
    assert_eq!(all.answer_by(), Some(at(500)));
    let mut alone = set(&json!({ "1": 1 }));
    alone.set_answer_limits(at(100), usual);
    assert_eq!((alone.answer, alone.answer_by()), (None, None));
}

#[test]
fn a_read_is_not_waited_for_beyond_its_limit() {
    let ask = |limit: u64| {
        let mut request = of_one_caller(Operation::Status);
        request.start(at(0), Duration::from_millis(limit));
        request
    };
    let usual = Duration::from_secs(5);
    let mut read = ask(10_000);
    read.set_answer_limits(at(2000), usual);
    assert_eq!(read.answer, None, "as usual");
    read.sent_times = 1;
    read.set_answer_limits(at(7000), usual);
    assert_eq!(read.answer, Some(Duration::from_secs(3)), "what is left");
    let mut late = ask(10_000);
    late.set_answer_limits(at(9900), usual);
    assert_eq!(late.answer, Some(ATTEMPT), "it has waited for the connection");
    let mut look = Request { effect_of: Some(Slot::new(Caller::Answer)), ..ask(10_000) };
    look.set_answer_limits(at(9900), usual);
    assert_eq!(look.answer, Some(Duration::from_millis(100)), "the write's caller wants no more");
    let mut own = Request { attempt: Some(Duration::from_secs(5)), ..ask(10_000) };
    own.set_answer_limits(at(9900), usual);
    assert_eq!(own.answer, Some(Duration::from_millis(100)), "its caller wants no more");
}

#[test]
fn a_refused_write_gives_way_to_a_later_one_of_the_same_device_which_answers_for_it() {
    let mut first = set(&json!({ "1": true, "2": 5 }));
    let mut later = set(&json!({ "2": 6, "3": "x" }));
    first.hand_over(&mut later);
    assert_eq!(written(&first), r#"{"1":true}"#);
    assert_eq!(later.waiters.iter().map(Waiter::dps).collect::<Vec<_>>(), [vec![2], vec![2, 3]]);
    assert!(Arc::ptr_eq(&slot(&later), &slot(&first)));
    let mut other = set(&json!({ "1": false }));
    other.cid = Cid::new("child").ok();
    first.hand_over(&mut other);
    assert_eq!(written(&first), r#"{"1":true}"#);
    first.hand_over(&mut set(&json!({ "1": false })));
    assert!(matches!(first.operation, Operation::Set(Writes { count: 0, .. })));
}

#[test]
fn a_refused_write_does_not_repeat_what_was_written_and_answered_since() {
    let mut first = set(&json!({ "1": true, "2": 5, "3": 1 }));
    first.mark_overwritten(&set(&json!({ "2": 6 })), true);
    let raw = Operation::Raw(CommandCode::CONTROL, Some(r#"{"3":7}"#.into()));
    first.mark_overwritten(&of_one_caller(raw), false);
    let taken: Vec<_> =
        first.take_replaced().iter().map(|(waiter, acknowledged)| (waiter.dps(), *acknowledged)).collect();
    assert_eq!(taken, [(vec![2], true), (vec![3], false)]);
    assert_eq!(written(&first), r#"{"1":true}"#);
}

#[test]
fn parts_hold_every_dp_once_and_tell_when_all_were_accepted() {
    let parts = set(&json!({ "1": 1, "2": 2, "3": 3 })).retry(2);
    assert_eq!(parts.iter().map(written).collect::<Vec<_>>(), [r#"{"1":1,"2":2}"#, r#"{"3":3}"#]);
    let trials: Vec<_> = parts.iter().filter_map(|part| part.trial.as_deref()).map(Trial::accepted).collect();
    assert_eq!(trials, [None, Some(2)]);
}

#[test]
fn a_refused_write_of_several_callers_comes_apart_by_caller() {
    let all =
        join([set(&json!({ "1": true, "2": 5 })), set(&json!({ "2": 6, "3": "x", "4": 4 })), set(&json!({ "5": 5 }))]);
    let parts = all.retry(3);
    let written: Vec<_> = parts.iter().map(written).collect();
    assert_eq!(written, [r#"{"1":true}"#, r#"{"2":6,"3":"x","4":4}"#, r#"{"5":5}"#]);
    let callers: Vec<Vec<Vec<u16>>> = parts.iter().map(|part| part.waiters.iter().map(Waiter::dps).collect()).collect();
    // The second caller replaced the first one's DP 2, so its part completes both.
    assert_eq!(callers, [vec![vec![1]], vec![vec![2], vec![2, 3, 4]], vec![vec![5]]]);
}

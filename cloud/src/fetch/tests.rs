use serde_json::{Value, json};

use super::*;
use crate::DataCentre;

const NOW: u64 = 1_700_000_000_000;

/// Drives a fetch; `server` is given the place, what is asked for and the request.
struct Driver {
    fetch: Fetch,
    now: u64,
    asked: Vec<String>,
    news: Vec<Progress>,
}

type Reply = Result<Answer, SendFailure>;

fn ok(result: &Value) -> Reply {
    Ok(Answer::new(200, json!({ "success": true, "result": result, "t": NOW }).to_string()))
}

fn refuse(code: i64) -> Reply {
    Ok(Answer::new(200, json!({ "success": false, "code": code, "msg": "no", "t": NOW }).to_string()))
}

impl Driver {
    fn new(endpoints: Vec<Endpoint>) -> Self {
        let project = Project { access_id: "p8k3n".to_owned(), access_secret: "hunter2".into() };
        Self { fetch: Fetch::new(project, endpoints), now: NOW, asked: Vec::new(), news: Vec::new() }
    }

    fn eu() -> Self {
        Self::new(vec![Endpoint::of(DataCentre::CentralEurope)])
    }

    fn run(&mut self, mut server: impl FnMut(&str, &Request) -> Reply) -> Result<Box<Fetched>, FetchError> {
        for _ in 0..2000 {
            match self.fetch.poll(self.now) {
                Step::Send(request) => {
                    let url = request.url.expose().to_owned();
                    let (_, rest) = url.split_once("//").expect("absolute");
                    self.asked.push(rest.to_owned());
                    let reply = server(rest, &request);
                    assert!(!format!("{request:?}{:?}", self.fetch).contains("hunter2"));
                    self.fetch.handle(reply, self.now);
                }
                Step::Wait(time) => self.now += u64::try_from(time.as_millis()).expect("short"),
                Step::Progress(news) => self.news.push(news),
                Step::Done(result) => return result,
            }
        }
        panic!("it goes on and on: {:?}", self.asked);
    }

    fn count(&self, part: &str) -> usize {
        self.asked.iter().filter(|url| url.contains(part)).count()
    }
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value.expose())
}

/// One lamp, whatever is asked for.
fn lamp(url: &str) -> Reply {
    let device = json!({ "id": "lamp", "local_key": "key", "uid": "u1", "product_id": "p", "product_name": "Bulb" });
    match url {
        _ if url.contains("/token") => ok(&json!({ "access_token": "token" })),
        _ if url.contains("associated-users") => ok(&json!({ "devices": [device], "has_more": false })),
        _ if url.contains("iot-03/devices") => ok(&json!({ "list": [device], "has_more": false })),
        _ if url.contains("factory-infos") => ok(&json!([{ "id": "lamp", "mac": "105a17000001" }])),
        _ if url.contains("specifications") => {
            ok(&json!({ "status": [{ "code": "led", "dp_id": 20, "type": "Boolean" }] }))
        }
        _ => refuse(28_841_105),
    }
}

#[test]
fn every_data_centre_is_tried_until_one_has_the_devices() {
    let mut driver = Driver::new(Endpoint::all());
    let fetched = driver.run(|url, _| match url.split('/').next() {
        Some("openapi.tuyaeu.com") => refuse(1004),
        Some("openapi.tuyaus.com") if url.contains("/token") => ok(&json!({ "access_token": "t" })),
        Some("openapi.tuyaus.com") => ok(&json!({ "devices": [] })),
        Some("openapi.tuyacn.com") => Err(SendFailure::HostNotFound),
        _ => lamp(url),
    });
    let fetched = fetched.expect("India has it");
    assert_eq!(fetched.endpoint.centre, Some(DataCentre::India));
    let refused = driver.news.iter().filter_map(|news| match news {
        Progress::Refused(tried) => Some((tried.place.as_str(), tried.error.to_string())),
        _ => None,
    });
    let refused: Vec<(&str, String)> = refused.collect();
    assert_eq!(
        refused.iter().map(|(place, _)| *place).collect::<Vec<_>>(),
        ["Central Europe", "Western America", "China"]
    );
    assert!(refused[1].1.contains("lists no devices"), "{refused:?}");
}

#[test]
fn where_none_has_them_every_reason_is_told() {
    let mut driver = Driver::new(Endpoint::all());
    let error = driver.run(|_, _| refuse(1004)).expect_err("nowhere");
    let FetchError::Nowhere { tried } = &error else { panic!("{error:?}") };
    assert_eq!((tried.len(), driver.asked.len()), (7, 7));
    assert!(error.to_string().contains("Singapore: the cloud refused the token"), "{error}");
    // The answer about the subscription is the same everywhere.
    let mut driver = Driver::new(Endpoint::all());
    let error = driver.run(|url, _| if url.contains("/token") { lamp(url) } else { refuse(28_841_002) });
    assert_eq!(error.err().and_then(|error| error.cause()), Some(Cause::PlanExpired));
    assert_eq!(driver.asked.len(), 2);
}

#[test]
fn pages_are_followed_to_their_end_and_no_further() {
    let mut driver = Driver::eu();
    let fetched = driver.run(|url, _| {
        let row = |n: i32| json!({ "id": format!("d{n}"), "local_key": "k" });
        match url {
            _ if url.contains("last_row_key=row%201&size=50") => {
                ok(&json!({ "devices": [row(2)], "has_more": true, "last_row_key": "row 2" }))
            }
            // Says that there is more, but has nothing.
            _ if url.contains("last_row_key=row%202") => {
                ok(&json!({ "devices": [], "has_more": true, "last_row_key": "row 3" }))
            }
            _ if url.contains("associated-users") => {
                ok(&json!({ "devices": [row(0), row(1)], "has_more": true, "last_row_key": "row 1" }))
            }
            _ => lamp(url),
        }
    });
    let ids: Vec<String> = fetched.expect("fetched").devices.iter().map(|device| device.id.clone()).collect();
    assert_eq!(ids, ["d0", "d1", "d2"]);
    // A server that always has more is left alone in the end.
    let mut driver = Driver::eu();
    let endless = driver.run(|url, _| match url.contains("associated-users") {
        true => ok(&json!({ "devices": [{ "id": "a" }], "has_more": true, "last_row_key": "same" })),
        false => lamp(url),
    });
    assert!(endless.is_ok() && driver.count("associated-users") <= 200);
}

#[test]
fn a_list_without_keys_is_completed_by_each_of_the_others() {
    for keys_in in ["iot-03/devices", "/v1.0/users/u1/devices"] {
        let mut driver = Driver::eu();
        let fetched = driver.run(|url, _| {
            let with = json!([{ "id": "a", "local_key": "k" }]);
            let without = json!([{ "id": "a", "local_key": "", "uid": "u1" }]);
            let list = if url.contains(keys_in) { with } else { without };
            match url {
                _ if url.contains("associated-users") => ok(&json!({ "devices": list })),
                _ if url.contains("iot-03/devices") => {
                    assert!(url.contains("page_size=75&source_id=u1&source_type=tuyaUser"), "{url}");
                    ok(&json!({ "list": list }))
                }
                _ if url.contains("/users/") => ok(&list),
                _ => lamp(url),
            }
        });
        assert_eq!(fetched.expect("fetched").devices[0].key.expose(), "k", "{keys_in}");
        assert_eq!(driver.count("/users/"), usize::from(keys_in.contains("users")));
    }
}

#[test]
fn the_token_is_renewed_once() {
    for code in [1010, 1011, 1012, 1400] {
        let mut driver = Driver::eu();
        let (mut tokens, mut refused) = (0, false);
        let fetched = driver.run(|url, request| {
            if url.contains("/token") {
                assert_eq!(header(request, "access_token"), "");
                tokens += 1;
                return ok(&json!({ "access_token": format!("token {tokens}") }));
            }
            if url.contains("iot-03") && !refused {
                refused = true;
                return refuse(code);
            }
            assert_eq!(header(request, "access_token"), format!("token {}", 1 + i32::from(refused)));
            lamp(url)
        });
        assert!(fetched.is_ok() && tokens == 2, "{code}");
        // Another program fetches tokens all the time.
        let mut driver = Driver::eu();
        let result = driver.run(|url, _| if url.contains("/token") { lamp(url) } else { refuse(code) });
        assert_eq!(result.err().and_then(|error| error.cause()), Some(Cause::Token), "{code}");
        assert_eq!(driver.asked.len(), 4);
    }
}

#[test]
fn clocks_that_differ_are_told_and_made_up_for() {
    let mut driver = Driver::eu();
    driver.now = NOW + 7_200_000;
    let fetched = driver.run(|url, request| {
        let t: u64 = header(request, "t").parse().expect("a number");
        if t.abs_diff(NOW) > 300_000 { refuse(1013) } else { lamp(url) }
    });
    assert!((-7_200_000..-7_190_000).contains(&fetched.expect("fetched").clock_offset_ms));
    assert!(driver.news.iter().any(|news| matches!(news, Progress::Clock(-7_200_000))));
    let mut driver = Driver::eu();
    driver.now = NOW - 3_600_000;
    let error = driver.run(|_, _| refuse(1013)).expect_err("not accepted even so");
    assert!(matches!(error, FetchError::Clock { offset_ms: 3_600_000 }), "{error:?}");
    // A clock that is off, but accepted, is told, too.
    let mut driver = Driver::eu();
    driver.now = NOW - 120_000;
    assert_eq!(driver.run(|url, _| lamp(url)).expect("fetched").clock_offset_ms, 120_000);
}

#[test]
fn what_passes_is_waited_for() {
    for passing in [1110, 1111, 1112, 1199, -429, -500, -1] {
        let mut driver = Driver::eu();
        let mut left = 1;
        let fetched = driver.run(|url, _| {
            if url.contains("iot-03") && left > 0 {
                left -= 1;
                return match passing {
                    -1 => Err(SendFailure::Timeout),
                    status if status < 0 => Ok(Answer::new(u16::try_from(-status).expect("a status"), "later")),
                    code => refuse(code),
                };
            }
            lamp(url)
        });
        assert!(fetched.is_ok() && driver.now > NOW, "{passing}");
        assert!(driver.news.iter().any(|news| matches!(news, Progress::Waiting(..))));
    }
    let mut driver = Driver::eu();
    let error = driver.run(|_, _| Ok(Answer::new(200, "<html>log in</html>"))).expect_err("no cloud");
    assert_eq!(error.to_string(), "token: the answer is a web page");
    assert_eq!(driver.now, NOW, "a web page does not go away by itself");
}

#[test]
fn each_product_is_asked_for_once_and_known_ones_not_at_all() {
    let list = json!([
        { "id": "a", "local_key": "k", "product_id": "p1" },
        { "id": "b", "local_key": "k", "product_id": "p1" },
        { "id": "c", "local_key": "k", "product_id": "p2", "product_name": "Gateway" },
        { "id": "d", "local_key": "k", "product_id": "p3" },
        { "id": "e", "local_key": "k", "product_id": "p4" },
    ]);
    let known = json!({ "9": { "code": "x", "type": "Boolean", "values": {} } });
    let mut driver = Driver::eu();
    driver.fetch = driver.fetch.known([("p3".to_owned(), Mapping::from_json(&known).expect("an object"))]);
    let model =
        json!({ "services": [{ "properties": [{ "abilityId": 7, "code": "more", "typeSpec": { "type": "bool" } }] }] });
    let fetched = driver.run(|url, _| match url {
        _ if url.contains("associated-users") => ok(&json!({ "devices": list })),
        _ if url.contains("devices/c/specifications") => refuse(2009),
        _ if url.contains("devices/e/specifications") => refuse(2010),
        _ if url.contains("thing/a/model") => ok(&json!({ "model": model.to_string() })),
        _ => lamp(url),
    });
    let fetched = fetched.expect("fetched");
    let sizes: Vec<_> = fetched.devices.iter().map(|device| device.mapping.as_ref().map(Mapping::len)).collect();
    assert_eq!(sizes, [Some(2), Some(2), Some(0), Some(1), None]);
    assert_eq!((driver.count("specifications"), driver.count("/d/"), driver.count("/b/")), (3, 0, 0));
    assert_eq!(driver.count("/model"), 2, "after a refusal for the whole project, no more is asked");
    let notes: Vec<_> = fetched.notes.iter().map(|note| (note.about.as_str(), note.error.cause())).collect();
    assert_eq!(notes, [("Gateway", Some(Cause::NoInstructions)), ("", Some(Cause::NotFound))]);
    assert_eq!(fetched.calls as usize, driver.asked.len());
}

#[test]
fn children_are_told_by_their_key_or_asked_for() {
    let run = |child: Value| {
        let mut driver = Driver::eu();
        let list = json!([
            { "id": "hub", "local_key": "k", "sub": false, "category": "wg2" },
            { "id": "plug", "local_key": "other", "sub": false },
            child,
        ]);
        let fetched = driver.run(|url, _| match url {
            _ if url.contains("associated-users") => ok(&json!({ "devices": list })),
            _ if url.contains("hub/sub-devices") => {
                ok(&json!([{ "id": "child", "node_id": "n2" }, { "id": "unlisted" }]))
            }
            _ => lamp(url),
        });
        let fetched = fetched.expect("fetched");
        let child = fetched.devices[2].clone();
        assert_eq!(fetched.devices.len(), 3);
        (child.gateway_id, child.node_id, driver.count("sub-devices"))
    };
    let hub = Some("hub".to_owned());
    let (one, two) = (Some("n1".to_owned()), Some("n2".to_owned()));
    assert_eq!(
        run(json!({ "id": "child", "sub": true, "local_key": "k", "node_id": "n1" })),
        (hub.clone(), one.clone(), 0)
    );
    assert_eq!(run(json!({ "id": "child", "sub": true, "local_key": "k" })), (hub.clone(), two.clone(), 1));
    assert_eq!(run(json!({ "id": "child", "sub": true, "local_key": "" })), (hub.clone(), two, 1));
    let told = json!({ "id": "child", "sub": true, "local_key": "k", "gateway_id": "hub", "node_id": "n1" });
    assert_eq!(run(told), (hub, one, 0));
}

#[test]
fn a_device_that_the_user_knows_leads_to_the_others() {
    let mut driver = Driver::eu();
    driver.fetch = driver.fetch.device_ids(["known".to_owned()]);
    let fetched = driver.run(|url, _| match url {
        _ if url.contains("associated-users") => refuse(28_841_101),
        _ if url.contains("/v1.0/devices/known") => ok(&json!({ "id": "known", "uid": "u9" })),
        _ if url.contains("iot-03") => refuse(28_841_101),
        _ if url.contains("/users/u9/devices") => {
            ok(&json!([{ "id": "known", "local_key": "k" }, { "id": "b", "local_key": "k" }]))
        }
        _ => lamp(url),
    });
    let fetched = fetched.expect("fetched");
    assert_eq!(fetched.devices.iter().filter(|device| !device.key.is_empty()).count(), 2);
    assert_eq!(fetched.notes.len(), 2, "both refusals are told");
}

#[test]
fn what_is_known_is_kept_when_the_quota_ends() {
    let mut driver = Driver::eu();
    let fetched = driver.run(|url, _| if url.contains("factory-infos") { refuse(28_841_004) } else { lamp(url) });
    let fetched = fetched.expect("the keys are there");
    assert_eq!((fetched.devices[0].key.expose(), driver.count("specifications")), ("key", 0));
    assert_eq!(fetched.notes[0].error.cause(), Some(Cause::QuotaUsed));
}

#[test]
fn hardware_addresses_are_asked_for_fifty_at_a_time() {
    let list: Vec<Value> =
        (0..120).map(|n| json!({ "id": format!("d{n}"), "local_key": "k", "sub": n == 0 })).collect();
    let mut driver = Driver::eu();
    let fetched = driver.run(|url, _| match url {
        _ if url.contains("associated-users") => ok(&json!({ "devices": list })),
        _ if url.contains("factory-infos") => ok(&json!([{ "id": "d5", "mac": "aa", "uuid": "u", "sn": 7 }, 5])),
        _ => lamp(url),
    });
    let fetched = fetched.expect("fetched");
    assert_eq!((driver.count("factory-infos"), driver.count("d0,")), (3, 0));
    let device = &fetched.devices[5];
    assert_eq!((device.mac.as_deref(), device.sn.as_deref()), (Some("aa"), Some("7")));
}

#[test]
fn a_cancelled_fetch_sends_nothing_more() {
    let mut driver = Driver::eu();
    assert!(matches!(driver.fetch.poll(NOW), Step::Progress(Progress::Trying(_))));
    assert!(matches!(driver.fetch.poll(NOW), Step::Send(_)));
    driver.fetch.cancel();
    driver.fetch.handle(ok(&json!({ "access_token": "t" })), NOW);
    assert!(matches!(driver.run(|url, _| lamp(url)), Err(FetchError::Cancelled)));
    assert!(driver.asked.is_empty() && driver.news.is_empty());
    let mut driver = Driver::eu();
    let fetched = driver.run(|url, _| lamp(url)).expect("fetched");
    driver.fetch.cancel();
    let again = driver.run(|url, _| lamp(url)).expect("what was fetched stays");
    assert_eq!(again.devices.len(), fetched.devices.len());
}

#[test]
fn the_list_of_another_service_is_a_further_source() {
    // If the list of all is refused: page by page, in the spelling of the newer calls.
    let thing =
        |n: usize| json!({ "id": format!("d{n}"), "localKey": format!("k{n}"), "productId": "p", "isOnline": true });
    let things = |url: &str| {
        let start = match url.split_once("last_id=d") {
            Some((_, rest)) => 1 + rest.split('&').next().and_then(|n| n.parse().ok()).unwrap_or(0),
            None => 0,
        };
        assert!(url.contains("page_size=20"), "{url}");
        ok(&(start..45).take(20).map(thing).collect())
    };
    for refused in [1106, 1108, 28_841_001, 28_841_101, 28_841_105, 77] {
        let mut driver = Driver::eu();
        let fetched = driver.run(|url, _| match url {
            _ if url.contains("associated-users") => refuse(refused),
            _ if url.contains("cloud/thing/device") => things(url),
            _ => lamp(url),
        });
        let fetched = fetched.expect("fetched");
        assert_eq!((fetched.devices.len(), driver.count("thing/device")), (45, 3), "{refused}");
        assert_eq!((fetched.devices[44].key.expose(), fetched.devices[0].is_online), ("k44", Some(true)));
        assert_eq!(fetched.notes.len(), 1, "the refusal is told");
    }
    // If it is refused, too, the first refusal is the reason.
    let mut driver = Driver::eu();
    let result = driver.run(|url, _| match url {
        _ if url.contains("associated-users") => refuse(28_841_101),
        _ if url.contains("cloud/thing/device") => refuse(28_841_001),
        _ => lamp(url),
    });
    assert_eq!(result.err().and_then(|error| error.cause()), Some(Cause::NotSubscribed));
    // Only if the keys are refused, and not if there is no list.
    for (refused, asked) in [(true, 1), (false, 0)] {
        let mut driver = Driver::eu();
        let fetched = driver.run(|url, _| {
            let keyless = json!([{ "id": "d0", "uid": "u1" }]);
            match url {
                _ if url.contains("associated-users") => ok(&json!({ "devices": keyless })),
                _ if url.contains("iot-03") && !refused => ok(&json!({ "list": keyless })),
                _ if url.contains("/users/") && !refused => ok(&keyless),
                _ if url.contains("cloud/thing/device") => ok(&json!([thing(0)])),
                _ if url.contains("iot-03") || url.contains("/users/") => refuse(28_841_105),
                _ => lamp(url),
            }
        });
        let key = fetched.expect("fetched").devices[0].key.expose().to_owned();
        assert_eq!((key.as_str(), driver.count("thing/device")), (if refused { "k0" } else { "" }, asked));
    }
    // The subscription is the same for all calls.
    let mut driver = Driver::eu();
    let result = driver.run(|url, _| if url.contains("/token") { lamp(url) } else { refuse(28_841_002) });
    assert_eq!((result.is_err(), driver.count("thing/device")), (true, 0));
}

#[test]
fn children_are_asked_for_at_another_service_where_one_refuses() {
    let list = json!([{ "id": "hub", "local_key": "k" }, { "id": "child", "sub": true, "local_key": "k" }]);
    for refused in [1, 2] {
        let mut driver = Driver::eu();
        let fetched = driver.run(|url, _| match url {
            _ if url.contains("associated-users") => ok(&json!({ "devices": list })),
            _ if url.contains("/v1.0/iot-03/devices/hub/sub-devices") && refused == 1 => {
                ok(&json!([{ "id": "child", "node_id": "n" }]))
            }
            _ if url.contains("sub-devices") => refuse(28_841_105),
            _ => lamp(url),
        });
        let fetched = fetched.expect("fetched");
        let node = fetched.devices[1].node_id.as_deref();
        assert_eq!((node, driver.count("sub-devices")), (if refused == 1 { Some("n") } else { None }, 2));
        assert_eq!(fetched.notes.len(), refused - 1, "a refusal is told where nothing else helped");
    }
}

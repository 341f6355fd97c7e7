//! Many devices as one: registries, managers, and what they share.

mod common;

use core::time::Duration;

use common::{KEY, OTHER_KEY, controller, fake, map, soon};
use rustuya_runtime_tokio::{
    AddError, CommandError, ConfigError, Device, DownReason, Event, Listener, Manager, ManagerEvent, Registry, Tokio,
    Version,
};
use rustuya_virtual_device::VirtualDevice;
use serde_json::json;

fn registry() -> Registry {
    Registry::builder(Tokio).without_discovery().build()
}

async fn lamp(n: u16, version: Version) -> VirtualDevice {
    fake(&format!("bf0123456789abcd{n:04}"), version).start().await.expect("a free port")
}

fn add(manager: &Manager, lamp: &VirtualDevice) -> Result<Device, AddError> {
    manager.add(lamp.id(), lamp.local_addr().to_string().as_str(), KEY, lamp.version().as_str())
}

async fn heard<T>(events: &mut Listener<ManagerEvent>, mut wanted: impl FnMut(&ManagerEvent) -> Option<T>) -> T {
    soon(async {
        loop {
            let news = events.recv().await.expect("the manager lives");
            if let Some(found) = wanted(&news) {
                return found;
            }
        }
    })
    .await
}

#[tokio::test]
async fn one_listener_hears_all_devices_and_the_list_tells_their_state() {
    let manager = Manager::new(&registry());
    let mut events = manager.listener();
    let lamps = [lamp(1, Version::V33).await, lamp(2, Version::V34).await, lamp(3, Version::V35).await];
    for lamp in &lamps {
        add(&manager, lamp).expect("is new");
    }
    for lamp in &lamps {
        let device = manager.get(lamp.id()).expect("was added");
        assert_eq!(soon(device.wait_connected(Duration::from_secs(10))).await, Ok(lamp.version()));
        soon(device.query()).await.expect("answers");
        lamp.set_dps(None, map(json!({ "2": 7 }))).expect("a DP number");
        heard(&mut events, |news| match &news.event {
            Event::Message(message) if &*news.device_id == lamp.id() => (message.dp(2) == Some(json!(7))).then_some(()),
            _ => None,
        })
        .await;
        assert_eq!(device.state().get(2), Some(&json!(7)));
    }
    assert_eq!((manager.len(), manager.is_empty()), (3, false));
    let list = manager.list();
    let ids: Vec<&str> = list.iter().map(|info| &*info.id).collect();
    assert_eq!(ids, lamps.each_ref().map(VirtualDevice::id));
    for (info, lamp) in list.iter().zip(&lamps) {
        assert_eq!((info.connected, info.version), (true, Some(lamp.version())));
        assert_eq!((info.address, info.port), (Some(lamp.local_addr().ip()), lamp.local_addr().port()));
        assert!(info.last_seen.is_some() && info.down.is_none());
    }
    let metrics = manager.metrics();
    assert_eq!((metrics.connects, metrics.reconnects, metrics.acknowledged), (3, 0, 3));
    assert_eq!(metrics.latency.count(), 3);
    assert!(manager.get("nobody").is_none());
}

#[tokio::test]
async fn the_same_device_is_a_duplicate_and_a_different_one_reconfigures() {
    let manager = Manager::new(&registry());
    let old = lamp(1, Version::V34).await;
    let device = add(&manager, &old).expect("is new");
    let mut events = device.listener();
    soon(device.wait_connected(Duration::from_secs(10))).await.expect("connects");
    // Settings that `add` does not name make no difference, and stay.
    device.reconfigure(device.config().nowait(true)).expect("the same device");
    assert!(matches!(add(&manager, &old), Err(AddError::DuplicateDevice)));
    assert_eq!(manager.len(), 1);

    // The same device at another port, after an update: every handle follows, listeners stay.
    let new = lamp(1, Version::V35).await;
    let same = add(&manager, &new).expect("is reconfigured");
    assert_eq!(same.config(), same.config().nowait(true));
    assert_eq!(soon(device.wait_connected(Duration::from_secs(10))).await, Ok(Version::V35));
    soon(device.set_value(2, 9).acknowledged()).await.expect("acknowledges");
    assert_eq!((new.dps(None)["2"].clone(), old.dps(None)["2"].clone()), (json!(9), json!(50)));
    assert_eq!((same.port(), manager.len()), (new.local_addr().port(), 1));
    let mut versions = Vec::new();
    while let Some(event) = events.try_recv() {
        if let Event::Up { version } = event {
            versions.push(version);
        }
    }
    assert_eq!(versions, [Version::V34, Version::V35]);
}

#[tokio::test]
async fn reconfiguring_answers_what_is_pending_and_keeps_what_waits() {
    let manager = Manager::new(&registry());
    let lamp = fake("bf0123456789abcd0001", Version::V34).quirk("silent-control").expect("a quirk");
    let lamp = lamp.start().await.expect("a free port");
    let device = add(&manager, &lamp).expect("is new");
    soon(device.wait_connected(Duration::from_secs(10))).await.expect("connects");
    let mut requests = lamp.requests();
    let pending = tokio::spawn({
        let device = device.clone();
        async move { device.set_value(1, true).acknowledged().await }
    });
    while soon(requests.recv()).await.expect("was asked").name != Some("ControlNew") {}
    device.reconfigure(device.config().version(None)).expect("the same device");
    let lost = Err(CommandError::ConnectionLost { reason: DownReason::Ended });
    assert_eq!(soon(pending).await.expect("no panic"), lost);
    // Nothing is up now: this one waits for the new connection.
    assert!(soon(device.query()).await.is_ok());
    let other = controller(&fake("bf0123456789abcd0002", Version::V34).start().await.expect("a free port"));
    assert!(matches!(device.reconfigure(other), Err(ConfigError::Id(_))));
}

#[tokio::test]
async fn managers_share_devices_until_the_last_lets_go() {
    let registry = registry();
    let (one, two) = (Manager::new(&registry), Manager::new(&registry));
    let lamp = lamp(1, Version::V35).await;
    let device = add(&one, &lamp).expect("is new");
    add(&two, &lamp).expect("is shared");
    assert!(matches!(add(&two, &lamp), Err(AddError::DuplicateDevice)));
    assert_eq!((registry.len(), one.len(), two.len()), (1, 1, 1));
    soon(device.wait_connected(Duration::from_secs(10))).await.expect("connects");
    assert!(one.remove(lamp.id()));
    assert!(!one.remove(lamp.id()));
    assert!(device.is_connected());
    assert_eq!((registry.len(), one.len(), two.len()), (1, 0, 1));
    assert!(two.remove(lamp.id()));
    assert_eq!(registry.len(), 0);
    // A handle alone keeps it, too.
    assert!(device.is_connected());

    // Deleting ends it for everybody.
    add(&one, &lamp).expect("is new again");
    add(&two, &lamp).expect("is shared");
    let shared = one.get(lamp.id()).expect("was added");
    assert!(two.delete(lamp.id()));
    assert_eq!((registry.len(), one.len(), two.len()), (0, 0, 0));
    assert_eq!(soon(shared.query()).await, Err(CommandError::Closed));
    // It can be added anew.
    let again = add(&one, &lamp).expect("is new once more");
    soon(again.wait_connected(Duration::from_secs(10))).await.expect("connects");
}

#[tokio::test]
async fn shutdown_answers_everything_and_leaves_nothing_behind() {
    let registry = registry();
    let (manager, other) = (Manager::new(&registry), Manager::new(&registry));
    let mut lamps = Vec::new();
    for n in 0..10 {
        let lamp = fake(&format!("bf0123456789abcd{n:04}"), Version::V34).quirk("silent-control").expect("a quirk");
        lamps.push(lamp.start().await.expect("a free port"));
    }
    let mut events = manager.listener();
    let mut commands = Vec::new();
    for lamp in &lamps {
        let device = add(&manager, lamp).expect("is new");
        let mut requests = lamp.requests();
        commands.push(tokio::spawn(async move { device.set_value(1, true).acknowledged().await }));
        while soon(requests.recv()).await.expect("was asked").name != Some("ControlNew") {}
    }
    add(&other, &lamps[0]).expect("is shared");
    let absent = add(&manager, &fake("bf0123456789abcd9999", Version::V34).start().await.expect("a free port"));
    let absent = absent.expect("is new");
    soon(manager.shutdown()).await;
    assert!(matches!(add(&manager, &lamps[1]), Err(AddError::Closed)));
    assert_eq!((manager.len(), registry.len()), (0, 1), "the shared one lives");
    assert_eq!(soon(absent.query()).await, Err(CommandError::Closed));
    let shared = commands.remove(0);
    for command in commands {
        let lost = Err(CommandError::ConnectionLost { reason: DownReason::Ended });
        assert_eq!(soon(command).await.expect("no panic"), lost);
    }
    soon(async { while events.recv().await.is_some() {} }).await;
    assert!(!shared.is_finished(), "its answer may still come");
    soon(registry.shutdown()).await;
    assert!(soon(shared).await.expect("no panic").is_err());
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for lamp in lamps {
        soon(lamp.stop()).await;
    }
    assert!(tasks <= 2 * 11, "devices left tasks behind: {tasks} live, virtual devices included");
}

#[tokio::test]
async fn what_cannot_be_a_device_is_refused_with_advice() {
    let manager = Manager::new(&registry());
    let config = |result: Result<Device, AddError>| match result {
        Err(AddError::Config(error)) => error,
        other => panic!("{other:?}"),
    };
    assert!(matches!(config(manager.add("id", "Auto", "short", "3.3")), ConfigError::Key(_)));
    assert!(matches!(config(manager.add("", "Auto", KEY, "3.3")), ConfigError::Id(_)));
    assert!(matches!(config(manager.add("id", "no where", KEY, "3.3")), ConfigError::Address));
    assert!(matches!(config(manager.add("id", "Auto", KEY, "3.9")), ConfigError::Version(_)));
    assert!(manager.is_empty());
    let device = manager.add("id", "AUTO", OTHER_KEY, "auto").expect("is well described");
    assert_eq!((device.address(), device.version()), (None, None));
    assert!(!format!("{manager:?}{:?}", manager.list()).contains(OTHER_KEY));
}

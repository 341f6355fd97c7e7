//! Entities of a device that a driver keeps connected: verbs on them, and their changes.

mod changes;
mod handle;
mod kinds;

use core::fmt;
use std::sync::Arc;

use rustuya_runtime::DeviceEntry;
use serde_json::{Map, Value as Json};

pub use changes::{Change, ChangeTracker, Changes};
pub use handle::Handle;
pub use kinds::{
    Alarm, BinarySensor, Button, Climate, Cover, EventSource, Fan, Humidifier, Light, Lock, Number, Select, Sensor,
    Siren, Switch, Text, Vacuum, Valve,
};

use crate::entity::{Entity, EntityKind};
use crate::kinds::{EntityState, Intent, IntentError};
use crate::schema::Schema;

impl From<&DeviceEntry> for Schema {
    /// Takes category, product and mapping of an entry of `devices.json`.
    fn from(entry: &DeviceEntry) -> Self {
        Self::builder().device(&Json::Object(facts(entry))).build()
    }
}

/// Returns what an entry of `devices.json` says about what the device is: `id`, `category`, `product_id`, `model` and
/// `mapping`, as [`SchemaBuilder::device`](crate::SchemaBuilder::device) takes it.
pub fn facts(entry: &DeviceEntry) -> Map<String, Json> {
    let texts = [
        ("id", Some(entry.id())),
        ("category", entry.category()),
        ("product_id", entry.product_id()),
        ("model", entry.model()),
    ];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Json::from(text?))));
    texts.chain(entry.mapping().map(|mapping| ("mapping".to_owned(), mapping))).collect()
}

/// A device or sub-device with its entities. Cheap to clone. It adds names and values; the connection stays with the
/// driver's handle, whose rules of time limits, order and repetition hold for every verb.
///
/// `H` is the handle of a driver: `Device` or `SubDevice` of `rustuya-runtime` (tokio and other async runtimes), or of
/// `rustuya-runtime-blocking`.
///
/// ```
/// use core::time::Duration;
/// use rustuya_entities::{EntityDevice, Level, LightIntent, Schema};
/// use rustuya_runtime_tokio::{Device, DevicesFile, Tokio, Version};
/// # use rustuya_virtual_device::VirtualDevice;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .dps(serde_json::from_str(r#"{ "20": false, "22": 10 }"#)?)?
/// #     .start()
/// #     .await?;
/// let file = DevicesFile::parse(br#"[{ "id": "bf0123456789abcdefgh", "name": "lamp", "key": "0123456789abcdef",
///     "category": "dj", "mapping": {
///         "20": { "code": "switch_led", "type": "Boolean", "values": {} },
///         "22": { "code": "bright_value_v2", "type": "Integer", "values": { "min": 10, "max": 1000 } } } }]"#)?;
/// let entry = file.find("lamp")?.ok_or("is listed")?;
/// let device = entry.builder()?;
/// # let device = device.address(lamp.local_addr());
/// let device = device.spawn(&Tokio);
/// device.wait_ready(Duration::from_secs(10)).await?;
///
/// let lamp = EntityDevice::new(device, Schema::from(entry));
/// let light = lamp.light().ok_or("is a light")?;
/// light.turn_on(LightIntent::default().with_brightness(Level::from_percent(50.into())?))?.confirmed().await?;
/// assert_eq!(light.state().brightness.map(|level| level.percent()), Some(50));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EntityDevice<H> {
    handle: H,
    schema: Arc<Schema>,
    entities: Arc<[Entity]>,
}

impl<H: fmt::Debug> fmt::Debug for EntityDevice<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.entities.iter().map(|entity| &*entity.id).collect();
        f.debug_struct("EntityDevice").field("handle", &self.handle).field("entities", &ids).finish_non_exhaustive()
    }
}

impl<H: Handle> EntityDevice<H> {
    /// Gives a device the entities of its schema.
    pub fn new(handle: H, schema: Schema) -> Self {
        let entities = schema.entities();
        Self::with_entities(handle, schema, entities)
    }

    /// Gives a device these entities, such as those of a profile.
    pub fn with_entities(handle: H, schema: Schema, entities: Vec<Entity>) -> Self {
        Self { handle, schema: Arc::new(schema), entities: entities.into() }
    }

    /// Returns the driver's handle.
    pub const fn handle(&self) -> &H {
        &self.handle
    }

    /// Returns the schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Returns all entities, what the device is for first.
    pub fn entities(&self) -> &[Entity] {
        &self.entities
    }

    /// Returns the entity with this id.
    pub fn entity(&self, id: &str) -> Option<EntityHandle<H>> {
        let at = self.entities.iter().position(|entity| entity.id == id)?;
        Some(EntityHandle { device: self.clone(), at })
    }

    /// Returns all entities of a kind, in order.
    pub fn of_kind(&self, kind: EntityKind) -> impl Iterator<Item = EntityHandle<H>> + '_ {
        let found = self.entities.iter().enumerate().filter(move |(_, entity)| entity.kind == kind);
        found.map(|(at, _)| EntityHandle { device: self.clone(), at })
    }

    /// Begins to compare states: see [`ChangeTracker`].
    pub fn tracker(&self) -> ChangeTracker {
        ChangeTracker::new(self.entities.clone(), self.handle.cid(), &self.handle.state())
    }
}

/// One entity of a device. Cheap to clone.
#[derive(Clone)]
pub struct EntityHandle<H> {
    device: EntityDevice<H>,
    at: usize,
}

impl<H> fmt::Debug for EntityHandle<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EntityHandle").field(self.entity()).finish()
    }
}

impl<H> EntityHandle<H> {
    /// Returns its description: kind, name, unit, channels.
    #[expect(clippy::indexing_slicing, reason = "`at` was found in this list, which never changes")]
    pub fn entity(&self) -> &Entity {
        &self.device.entities[self.at]
    }

    /// Returns its device.
    pub const fn device(&self) -> &EntityDevice<H> {
        &self.device
    }
}

impl<H: Handle> EntityHandle<H> {
    /// Returns its last known state. Asks nobody.
    pub fn state(&self) -> EntityState {
        self.entity().state(&self.device.handle.state())
    }

    /// Makes one command of an intent: all DPs of it are written together. Nothing is sent before the result is sent or
    /// awaited.
    ///
    /// # Errors
    /// [`IntentError`], which says what the entity takes instead.
    pub fn apply(&self, intent: &Intent) -> Result<H::Sending, IntentError> {
        let handle = &self.device.handle;
        Ok(handle.set_dps(self.entity().apply(intent, &handle.state())?))
    }

    /// Sets one thing by name, as command lines and MQTT have it: see [`Entity::intent`].
    ///
    /// # Errors
    /// [`IntentError`], which says what the entity takes instead.
    pub fn set(&self, name: &str, text: &str) -> Result<H::Sending, IntentError> {
        self.apply(&self.entity().intent(name, text)?)
    }
}

//! Methods of devices and sub-devices that lead to their entities.

use std::sync::{Arc, OnceLock};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use rustuya_entities::EntityKind;

use crate::changes::ChangeFeed;
use crate::described::{self, Files};
use crate::docstring::docstring;
use crate::entity::EntityHandle;
use crate::held::check;
use crate::host::Host;
use crate::receiver::ChangeReceiver;
use crate::{args, exceptions, lifecycle, states};

/// Base of devices and sub-devices: their entities.
#[pyclass(frozen, subclass, module = "rustuya._native")]
pub(crate) struct WithEntities(OnceLock<Arc<dyn Host>>);

impl WithEntities {
    /// Makes the base of a handle that is not made yet.
    pub(crate) const fn empty() -> Self {
        Self(OnceLock::new())
    }

    pub(crate) fn new(host: Arc<dyn Host>) -> Self {
        Self(OnceLock::from(host))
    }

    /// Sets the handle. Does nothing where one is set.
    pub(crate) fn init(&self, host: Arc<dyn Host>) {
        drop(self.0.set(host));
    }

    fn host(&self, py: Python<'_>) -> PyResult<&Arc<dyn Host>> {
        let missing = "__init__() of rustuya.Device was not called: call super().__init__() in the subclass's";
        self.0.get().ok_or_else(|| exceptions::leaf(py, "ClosedError", 906, missing))
    }

    /// Finds an entity by kind and id; the first one of the kind without an id.
    fn find(&self, py: Python<'_>, kind: Option<&str>, id: Option<&str>) -> PyResult<EntityHandle> {
        let host = self.host(py)?;
        let target = host.target(py)?;
        let entities = target.entities(host.described());
        let fits_kind = |found: EntityKind| kind.is_none_or(|kind| found.as_str() == kind);
        let at = match id {
            Some(id) => {
                let by_id = entities.iter().position(|entity| entity.id == id && fits_kind(entity.kind));
                by_id.or_else(|| entities.iter().position(|entity| entity.code == id && fits_kind(entity.kind)))
            }
            None => entities.iter().position(|entity| fits_kind(entity.kind)),
        };
        if let Some(at) = at {
            return Ok(EntityHandle::new(host, &entities, at));
        }
        let what = match (kind, id) {
            (Some(kind), Some(id)) => format!("{} of the kind {kind}", exceptions::quoted(id)),
            (None, Some(id)) => format!("entity {}", exceptions::quoted(id)),
            (kind, None) => format!("entity of the kind {}", kind.unwrap_or_default()),
        };
        let known: Vec<String> =
            entities.iter().map(|entity| format!("{} ({})", entity.id, entity.kind.as_str())).collect();
        let has = if known.is_empty() {
            "it has none as long as neither a description nor a report of the device names DPs".to_owned()
        } else {
            format!("it has {}", known.join(", "))
        };
        let error = exceptions::leaf(py, "NoSuchEntity", 907, &format!("{}: no {what}; {has}", target.name()));
        Err(exceptions::with(py, error, "device_id", &*target.name()))
    }

    /// Returns an entity as an object of its Python class.
    fn object<'py>(&self, py: Python<'py>, kind: Option<&str>, id: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        let handle = self.find(py, kind, id)?;
        wrapped(py, handle)
    }

    fn of_kind<'py>(&self, py: Python<'py>, kind: EntityKind, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.object(py, Some(kind.as_str()), id.as_ref().map(|id| &*id.0))
    }
}

fn wrapped(py: Python<'_>, handle: EntityHandle) -> PyResult<Bound<'_, PyAny>> {
    let wrap = states::class(py, "wrap")?;
    let _inside = lifecycle::enter(py);
    wrap.call1((handle,))
}

#[pymethods]
impl WithEntities {
    /// Adds facts about the device, by which it gets entities with names and values. Facts that are not given stay as
    /// they are. `Device.from_devices_file` and `DeviceConfig.load` do this by themselves.
    #[doc = docstring!(args: category product_id model mapping children overrides profiles)]
    #[doc = docstring!(returns: itself)]
    #[doc = docstring!(raises: overrides types)]
    #[pyo3(signature = (*, category=None, product_id=None, model=None, mapping=None, children=None, overrides=None,
                        profiles=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword arguments in Python")]
    fn describe<'py>(
        slf: Bound<'py, Self>,
        category: Option<args::Category>,
        product_id: Option<args::ProductId>,
        model: Option<args::Model>,
        mapping: Option<Bound<'py, PyAny>>,
        children: Option<Bound<'py, PyAny>>,
        overrides: Option<args::Overrides>,
        profiles: Option<args::Profiles>,
    ) -> PyResult<Bound<'py, Self>> {
        let py = slf.py();
        check(py)?;
        let described = slf.get().host(py)?.described();
        let facts = PyDict::new(py);
        let texts = [
            ("category", category.map(|text| text.0)),
            ("product_id", product_id.map(|text| text.0)),
            ("model", model.map(|text| text.0)),
        ];
        for (name, text) in texts {
            facts.set_item(name, text)?;
        }
        facts.set_item("mapping", mapping)?;
        facts.set_item("children", children)?;
        let files = Files::read(py, overrides, profiles)?;
        described.describe(&described::given(&facts)?);
        described.set_files(&files);
        Ok(slf)
    }

    /// Returns all entities, the main ones first. An entity of a DP that no description has appears once the device has
    /// reported the DP.
    fn entities<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for handle in self._entity_handles(py)? {
            list.append(wrapped(py, handle)?)?;
        }
        Ok(list)
    }

    /// Returns the entity with this id.
    #[doc = docstring!(args: entity_id)]
    #[doc = docstring!(raises: entity types)]
    fn entity<'py>(&self, py: Python<'py>, id: args::Id) -> PyResult<Bound<'py, PyAny>> {
        self.object(py, None, Some(&id.0))
    }

    /// Returns its alarm; the first one without an id.
    #[doc = docstring!(args: entity_id_kind)]
    #[doc = docstring!(raises: entity types)]
    #[pyo3(signature = (id=None))]
    fn alarm<'py>(&self, py: Python<'py>, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.of_kind(py, EntityKind::Alarm, id)
    }

    /// Returns its binary sensor; the first one without an id.
    #[doc = docstring!(args: entity_id_kind)]
    #[doc = docstring!(raises: entity types)]
    #[pyo3(signature = (id=None))]
    fn binary_sensor<'py>(&self, py: Python<'py>, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.of_kind(py, EntityKind::BinarySensor, id)
    }

    /// Returns its button; the first one without an id.
    #[doc = docstring!(args: entity_id_kind)]
    #[doc = docstring!(raises: entity types)]
    #[pyo3(signature = (id=None))]
    fn button<'py>(&self, py: Python<'py>, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.of_kind(py, EntityKind::Button, id)
    }

    /// Returns its climate, such as a thermostat; the first one without an id.
    #[doc = docstring!(args: entity_id_kind)]
    #[doc = docstring!(raises: entity types)]
    #[pyo3(signature = (id=None))]
    fn climate<'py>(&self, py: Python<'py>, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.of_kind(py, EntityKind::Climate, id)
    }

    /// Returns its cover, such as a curtain; the first one without an id.
    #[doc = docstring!(args: entity_id_kind)]
    #[doc = docstring!(raises: entity types)]
    #[pyo3(signature = (id=None))]
    fn cover<'py>(&self, py: Python<'py>, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.of_kind(py, EntityKind::Cover, id)
    }

    /// Returns its source of events, such as a button of a remote control; the first one without an id.
    #[doc = docstring!(args: entity_id_kind)]
    #[doc = docstring!(raises: entity types)]
    #[pyo3(signature = (id=None))]
    fn event_source<'py>(&self, py: Python<'py>, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.of_kind(py, EntityKind::Event, id)
    }

    /// Returns its fan; the first one without an id.
    #[doc = docstring!(args: entity_id_kind)]
    #[doc = docstring!(raises: entity types)]
    #[pyo3(signature = (id=None))]
    fn fan<'py>(&self, py: Python<'py>, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.of_kind(py, EntityKind::Fan, id)
    }

    /// Returns its humidifier or dehumidifier; the first one without an id.
    #[doc = docstring!(args: entity_id_kind)]
    #[doc = docstring!(raises: entity types)]
    #[pyo3(signature = (id=None))]
    fn humidifier<'py>(&self, py: Python<'py>, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.of_kind(py, EntityKind::Humidifier, id)
    }

    /// Returns its light; the first one without an id.
    #[doc = docstring!(args: entity_id_kind)]
    #[doc = docstring!(raises: entity types)]
    #[pyo3(signature = (id=None))]
    fn light<'py>(&self, py: Python<'py>, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.of_kind(py, EntityKind::Light, id)
    }

    /// Returns its lock; the first one without an id.
    #[doc = docstring!(args: entity_id_kind)]
    #[doc = docstring!(raises: entity types)]
    #[pyo3(signature = (id=None))]
    fn lock<'py>(&self, py: Python<'py>, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.of_kind(py, EntityKind::Lock, id)
    }

    /// Returns its number; the first one without an id.
    #[doc = docstring!(args: entity_id_kind)]
    #[doc = docstring!(raises: entity types)]
    #[pyo3(signature = (id=None))]
    fn number<'py>(&self, py: Python<'py>, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.of_kind(py, EntityKind::Number, id)
    }

    /// Returns its select, one of several words; the first one without an id.
    #[doc = docstring!(args: entity_id_kind)]
    #[doc = docstring!(raises: entity types)]
    #[pyo3(signature = (id=None))]
    fn select<'py>(&self, py: Python<'py>, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.of_kind(py, EntityKind::Select, id)
    }

    /// Returns its sensor; the first one without an id.
    #[doc = docstring!(args: entity_id_kind)]
    #[doc = docstring!(raises: entity types)]
    #[pyo3(signature = (id=None))]
    fn sensor<'py>(&self, py: Python<'py>, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.of_kind(py, EntityKind::Sensor, id)
    }

    /// Returns its siren; the first one without an id.
    #[doc = docstring!(args: entity_id_kind)]
    #[doc = docstring!(raises: entity types)]
    #[pyo3(signature = (id=None))]
    fn siren<'py>(&self, py: Python<'py>, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.of_kind(py, EntityKind::Siren, id)
    }

    /// Returns its switch or outlet; the first one without an id.
    #[doc = docstring!(args: entity_id_kind)]
    #[doc = docstring!(raises: entity types)]
    #[pyo3(signature = (id=None))]
    fn switch<'py>(&self, py: Python<'py>, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.of_kind(py, EntityKind::Switch, id)
    }

    /// Returns its text; the first one without an id.
    #[doc = docstring!(args: entity_id_kind)]
    #[doc = docstring!(raises: entity types)]
    #[pyo3(signature = (id=None))]
    fn text<'py>(&self, py: Python<'py>, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.of_kind(py, EntityKind::Text, id)
    }

    /// Returns its vacuum robot; the first one without an id.
    #[doc = docstring!(args: entity_id_kind)]
    #[doc = docstring!(raises: entity types)]
    #[pyo3(signature = (id=None))]
    fn vacuum<'py>(&self, py: Python<'py>, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.of_kind(py, EntityKind::Vacuum, id)
    }

    /// Returns its valve; the first one without an id.
    #[doc = docstring!(args: entity_id_kind)]
    #[doc = docstring!(raises: entity types)]
    #[pyo3(signature = (id=None))]
    fn valve<'py>(&self, py: Python<'py>, id: Option<args::Id>) -> PyResult<Bound<'py, PyAny>> {
        self.of_kind(py, EntityKind::Valve, id)
    }

    /// Creates a receiver of the changes of its entities from now on: `change.entity`, `change.state`.
    #[doc = docstring!(raises: closed)]
    fn changes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, ChangeReceiver>> {
        let host = self.host(py)?;
        let (feed, device) = host.feed(py)?;
        ChangeReceiver::make(py, ChangeFeed::new(py, host, feed)?, device)
    }

    /// Returns all entities for the asyncio classes.
    fn _entity_handles(&self, py: Python<'_>) -> PyResult<Vec<EntityHandle>> {
        let host = self.host(py)?;
        let entities = host.target(py)?.entities(host.described());
        Ok((0..entities.len()).map(|at| EntityHandle::new(host, &entities, at)).collect())
    }

    /// Returns an entity by kind and id for the asyncio classes.
    fn _entity_handle(&self, py: Python<'_>, kind: Option<&str>, id: Option<args::Id>) -> PyResult<EntityHandle> {
        self.find(py, kind, id.as_ref().map(|id| &*id.0))
    }
}

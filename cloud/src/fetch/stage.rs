//! The order of the calls, and what is made of their answers.

use serde_json::Value;

use super::job::{Job, Service, THINGS};
use super::{Fetch, Fetched, Note, Progress};
use crate::device::{CloudDevice, link_children, merge};
use crate::error::{Cause, FetchError};
use crate::json;
use crate::mapping::Mapping;
use crate::secret::Secret;

/// Present request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    List,
    Owners,
    Full,
    OfUser,
    Things,
    Children,
    Factory,
    Specs,
    Models,
    End,
}

/// No account has more pages of devices.
const MOST_PAGES: u32 = 200;
/// The cloud takes no more ids at once.
const IDS: usize = 50;

impl Fetch {
    /// All jobs of a stage are done: thinks of those of the next one.
    pub(super) fn next_stage(&mut self) {
        self.pages = 0;
        let (stage, jobs) = match self.stage {
            Stage::List => (Stage::Owners, self.owner_jobs()),
            Stage::Owners => {
                let jobs = self.uids().into_iter().map(|uid| Job::Full { uid, last: None });
                (Stage::Full, jobs.collect())
            }
            Stage::Full => {
                let complete = !self.devices.is_empty() && self.devices.iter().all(|device| !device.key.is_empty());
                let uids = if complete { Vec::new() } else { self.uids() };
                (Stage::OfUser, uids.into_iter().map(|uid| Job::OfUser { uid }).collect())
            }
            Stage::OfUser => (Stage::Things, self.things_jobs()),
            Stage::Things if self.devices.is_empty() => {
                let none = FetchError::NoDevices { place: self.endpoint.name().to_owned() };
                let error = self.refusal.take().unwrap_or(none);
                return self.leave(error);
            }
            Stage::Things => (Stage::Children, self.children_jobs()),
            Stage::Children => {
                let ids = self.devices.iter().filter(|device| !device.is_child()).map(|device| device.id.clone());
                let ids: Vec<String> = ids.collect();
                let jobs = ids.chunks(IDS).map(|ids| Job::Factory { ids: ids.to_vec() }).collect();
                (Stage::Factory, jobs)
            }
            Stage::Factory => {
                let jobs = self.spec_jobs();
                self.products = (0, jobs.len());
                (Stage::Specs, jobs)
            }
            Stage::Specs => (Stage::Models, self.model_jobs()),
            Stage::Models | Stage::End => return self.finish(),
        };
        self.stage = stage;
        self.jobs.extend(jobs);
    }

    fn finish(&mut self) {
        self.stage = Stage::End;
        let mut devices = core::mem::take(&mut self.devices);
        link_children(&mut devices);
        for device in &mut devices {
            let product = device.product_id.as_deref().unwrap_or_default();
            let known = self.fetched.iter().chain(&self.known).find(|(known, _)| known == product);
            device.mapping = known.map(|(_, mapping)| mapping.clone());
        }
        self.end = Some(Ok(Box::new(Fetched {
            endpoint: self.endpoint.clone(),
            devices,
            notes: core::mem::take(&mut self.notes),
            clock_offset_ms: self.offset_ms,
            calls: self.calls,
        })));
    }

    /// Takes a successful answer.
    pub(super) fn on_job(&mut self, job: Job, result: &Value) {
        match job {
            Job::Linked { .. } => self.on_page(result, None),
            Job::Full { uid, .. } => self.on_page(result, Some(uid)),
            Job::Owner { .. } => {
                if let Some(uid) = json::filled(result, &["uid"]) {
                    self.owners.push(uid.into());
                }
                merge(&mut self.devices, CloudDevice::from_json(result));
            }
            Job::OfUser { .. } => {
                let list = json::list(result, &["devices", "list"]).unwrap_or_default();
                if merge(&mut self.devices, list.iter().filter_map(CloudDevice::from_json)) > 0 {
                    self.news.push_back(Progress::Devices(self.devices.len()));
                }
            }
            Job::Things { .. } => {
                let list = json::list(result, &["list", "devices"]).unwrap_or_default();
                if merge(&mut self.devices, list.iter().filter_map(CloudDevice::from_json)) > 0 {
                    self.news.push_back(Progress::Devices(self.devices.len()));
                }
                self.pages += 1;
                // A page that is not full is the last one.
                if list.len() >= THINGS && self.pages < MOST_PAGES {
                    let last = list.last().and_then(|item| json::filled(item, &["id"]));
                    self.jobs.extend(last.map(|last| Job::Things { last: Some(last) }));
                }
            }
            Job::Children { gateway, .. } => {
                for item in json::list(result, &["list", "devices"]).unwrap_or_default() {
                    let Some(mut child) = CloudDevice::from_json(item) else { continue };
                    child.gateway_id = Some(gateway.clone());
                    child.is_sub_device = Some(true);
                    if self.devices.iter().any(|known| known.id == child.id) {
                        merge(&mut self.devices, [child]);
                    }
                }
            }
            Job::Factory { .. } => {
                for info in json::list(result, &["list"]).unwrap_or_default() {
                    let id = json::filled(info, &["id"]).unwrap_or_default();
                    let Some(device) = self.devices.iter_mut().find(|device| device.id == id) else { continue };
                    device.has_factory_info = true;
                    device.mac = json::text(info, &["mac"]).or_else(|| device.mac.take());
                    device.uuid = json::text(info, &["uuid"]).or_else(|| device.uuid.take());
                    device.sn = json::text(info, &["sn"]).or_else(|| device.sn.take());
                }
            }
            Job::Spec { product, .. } | Job::SpecBegun { product, .. } => {
                self.fetched.push((product, Mapping::from_specification(result)));
            }
            Job::Model { product, .. } => {
                let model = Mapping::from_thing_model(result);
                match self.fetched.iter_mut().find(|(known, _)| *known == product) {
                    Some((_, mapping)) => drop(mapping.complete(model)),
                    None if model.is_empty() => {}
                    None => self.fetched.push((product, model)),
                }
            }
        }
    }

    /// Takes a page of a list, of this user or of all.
    fn on_page(&mut self, result: &Value, uid: Option<Secret>) {
        let what = if uid.is_some() { "list of keys" } else { "list of devices" };
        let Some(list) = json::list(result, &["devices", "list"]) else {
            let job = uid.map_or(Job::Linked { last: None }, |uid| Job::Full { uid, last: None });
            return self.on_refusal(job, FetchError::Incomplete { what, missing: "list" });
        };
        let new = merge(&mut self.devices, list.iter().filter_map(CloudDevice::from_json));
        if new > 0 {
            self.news.push_back(Progress::Devices(self.devices.len()));
        }
        self.pages += 1;
        let last = json::filled(result, &["last_row_key"]);
        let more = json::truth(result, &["has_more"]) == Some(true) && !list.is_empty() && self.pages < MOST_PAGES;
        if let (true, Some(last)) = (more, last) {
            let last = Some(last);
            self.jobs.push_front(
                uid.map_or(Job::Linked { last: last.clone() }, |uid| Job::Full { uid, last: last.clone() }),
            );
        } else {
            self.pages = 0;
        }
    }

    /// Takes a refusal that is final.
    pub(super) fn on_refusal(&mut self, job: Job, error: FetchError) {
        let cause = error.cause();
        match &job {
            Job::Linked { .. } if self.devices.is_empty() => {
                let elsewhere = cause.is_none_or(Cause::may_be_elsewhere) && !self.rest.is_empty();
                if elsewhere || self.device_ids.is_empty() && !cause.is_some_and(Cause::is_of_the_call) {
                    return self.leave(error);
                }
                self.refusal = Some(error.clone());
                self.note(String::new(), error);
            }
            Job::Children { gateway, service: Service::Devices } if cause.is_some_and(Cause::is_of_the_call) => {
                self.jobs.push_front(Job::Children { gateway: gateway.clone(), service: Service::IotCore });
            }
            Job::Full { .. } | Job::OfUser { .. } => {
                self.refusal.get_or_insert_with(|| error.clone());
                self.note(String::new(), error);
            }
            Job::Owner { device } => self.note(device.clone(), error),
            Job::Spec { product, .. } | Job::SpecBegun { product, .. } => {
                if cause == Some(Cause::NoInstructions) {
                    self.fetched.push((product.clone(), Mapping::default()));
                }
                let named = self.devices.iter().find(|device| device.product_id.as_ref() == Some(product));
                let name = named.map(|device| device.product_name.clone().unwrap_or_else(|| device.name.clone()));
                self.note(name.unwrap_or_else(|| product.clone()), error);
            }
            // It only adds to what is there.
            Job::Model { .. } => {
                let is_of_project = matches!(
                    cause,
                    Some(Cause::NoService | Cause::NotSubscribed | Cause::NotAuthorized | Cause::Request)
                );
                if is_of_project {
                    self.jobs.clear();
                }
            }
            _ => self.note(String::new(), error),
        }
        if cause.is_some_and(Cause::is_of_the_plan) && !self.devices.is_empty() {
            self.jobs.clear();
            self.stage = Stage::Models;
        }
    }

    fn note(&mut self, about: String, error: FetchError) {
        self.notes.push(Note { about, error });
    }

    /// The users whose devices these are, each once.
    fn uids(&self) -> Vec<Secret> {
        let mut uids: Vec<Secret> = Vec::new();
        for uid in self.devices.iter().map(|device| &device.uid).chain(&self.owners) {
            if !uid.is_empty() && !uids.contains(uid) {
                uids.push(uid.clone());
            }
        }
        uids
    }

    /// The list of another service, where one of the others was refused and keys are missing.
    fn things_jobs(&self) -> Vec<Job> {
        let is_complete = !self.devices.is_empty() && self.devices.iter().all(|device| !device.key.is_empty());
        let helps = self.refusal.as_ref().is_some_and(|error| error.cause().is_none_or(Cause::is_of_the_call));
        if is_complete || !helps { Vec::new() } else { vec![Job::Things { last: None }] }
    }

    fn owner_jobs(&self) -> Vec<Job> {
        let unknown = |id: &&String| self.devices.iter().all(|device| device.id != **id);
        self.device_ids.iter().filter(unknown).map(|id| Job::Owner { device: id.clone() }).collect()
    }

    /// The gateways that must be asked what is behind them: where a sub-device does not say which it is behind, or by which
    /// name the gateway knows it.
    fn children_jobs(&self) -> Vec<Job> {
        let mut gateways: Vec<&str> = Vec::new();
        for child in self.devices.iter().filter(|device| device.is_child()) {
            let has_cid = child.node_id.as_ref().is_some_and(|cid| !cid.is_empty());
            let candidates: Vec<&str> = match &child.gateway_id {
                Some(_) if has_cid => continue,
                Some(gateway) => vec![gateway],
                None => {
                    let may_be = |other: &&CloudDevice| {
                        let is_wg = || other.category.as_deref().is_some_and(|category| category.starts_with("wg"));
                        let suits = if child.key.is_empty() { is_wg() } else { other.key == child.key };
                        !other.is_child() && suits
                    };
                    self.devices.iter().filter(may_be).map(|device| device.id.as_str()).collect()
                }
            };
            if candidates.len() == 1 && has_cid && !child.key.is_empty() {
                continue; // The key tells.
            }
            gateways.extend(candidates);
        }
        gateways.sort_unstable();
        gateways.dedup();
        gateways
            .into_iter()
            .map(|gateway| Job::Children { gateway: gateway.to_owned(), service: Service::Devices })
            .collect()
    }

    /// One job for each product that is not known.
    fn spec_jobs(&self) -> Vec<Job> {
        let mut jobs: Vec<Job> = Vec::new();
        let mut products: Vec<&str> = self.known.iter().map(|(product, _)| product.as_str()).collect();
        for device in self.devices.iter().filter(|_| self.wants_mappings) {
            let Some(product) = device.product_id.as_deref().filter(|product| !product.is_empty()) else { continue };
            if !products.contains(&product) {
                products.push(product);
                jobs.push(Job::Spec { product: product.to_owned(), device: device.id.clone() });
            }
        }
        jobs
    }

    fn model_jobs(&self) -> Vec<Job> {
        let spec = |job| match job {
            Job::Spec { product, device } => Some(Job::Model { product, device }),
            _ => None,
        };
        self.spec_jobs().into_iter().filter_map(spec).collect()
    }
}

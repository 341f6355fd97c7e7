//! Data of the cloud: made up, in the shapes that it sends.

use serde_json::{Map, Value, json};

use crate::Refused;

const ILLEGAL: Refused = (1109, "param is illegal");

/// A project, an app's account linked to it, and its devices.
#[derive(Clone, Debug)]
pub struct Account {
    /// The project's Access ID.
    pub access_id: String,
    /// The project's Access Secret.
    pub access_secret: String,
    /// The client id of the app's way.
    pub client_id: String,
    /// The schema of the app's way.
    pub schema: String,
    /// The app's user code.
    pub user_code: String,
    /// Lifetime of a login of the app's kind, in seconds.
    pub login_lives: u64,
    /// Number of devices on a page.
    pub page: usize,
    /// True if the list of all devices has keys. Since 2023 it has none for some accounts.
    pub keys_in_list: bool,
    /// True if the list of a user's devices has keys.
    pub keys_of_user: bool,
    /// True if the list of a user's devices tells gateways.
    pub gateways: bool,
    devices: Vec<Value>,
    specifications: Map<String, Value>,
    models: Map<String, Value>,
}

impl Account {
    /// Nine devices of eight products: lamps, heating, a plug, a gateway with two sensors, a remote, a breaker.
    ///
    /// # Panics
    /// Never: what is compiled in is well-formed.
    pub fn sample() -> Self {
        let mut data: Value = serde_json::from_str(include_str!("account.json")).expect("well-formed");
        let mut object = |name: &str| data[name].take().as_object().cloned().unwrap_or_default();
        let (specifications, models) = (object("specifications"), object("models"));
        Self {
            access_id: "p8k3nexampleclientid".to_owned(),
            access_secret: "0123456789abcdef0123456789abcdef".to_owned(),
            client_id: "APPKEY0000000000".to_owned(),
            schema: "exampleauthorize".to_owned(),
            user_code: "uSeRc0d".to_owned(),
            login_lives: 7200,
            page: 4,
            keys_in_list: false,
            keys_of_user: true,
            gateways: true,
            devices: data["devices"].as_array().cloned().unwrap_or_default(),
            specifications,
            models,
        }
    }

    /// An account without devices.
    pub fn empty() -> Self {
        let mut account = Self::sample();
        account.devices.clear();
        account
    }

    /// The devices, with everything that is known of them.
    pub fn devices(&self) -> &[Value] {
        &self.devices
    }

    /// Changes the field of a device, by its number from 0.
    pub fn set(&mut self, device: usize, field: &str, value: Value) {
        self.devices[device][field] = value;
    }

    /// Takes the models of all products away.
    pub fn without_models(&mut self) {
        self.models.clear();
    }

    /// Returns the texts that must never be shown: keys, secrets, user ids and the place of the home.
    pub fn private(&self) -> Vec<String> {
        let fields = ["local_key", "uid", "lat", "lon", "ip", "owner_id"];
        let of = |device: &Value| fields.map(|field| device[field].as_str().unwrap_or_default().to_owned());
        let mut all: Vec<String> = self.devices.iter().flat_map(of).collect();
        all.extend([self.access_secret.clone(), self.user_code.clone()]);
        all.sort();
        all.dedup();
        all
    }

    pub(crate) fn of(&self, uid: &str) -> impl Iterator<Item = &Value> {
        self.devices.iter().filter(move |device| device["uid"] == uid)
    }

    pub(crate) fn device(&self, id: &str) -> Result<&Value, Refused> {
        self.devices.iter().find(|device| device["id"] == id).ok_or((1106, "permission deny"))
    }

    pub(crate) fn linked(&self, device: &Value) -> Value {
        without(device, if self.keys_in_list { &["gateway_id"] } else { &["gateway_id", "local_key"] })
    }

    pub(crate) fn full(&self, device: &Value) -> Value {
        let mut hidden = Vec::new();
        if !self.gateways {
            hidden.extend(["gateway_id", "node_id"]);
        }
        if !self.keys_of_user {
            hidden.push("local_key");
        }
        without(device, &hidden)
    }

    pub(crate) fn linked_by_app(&self, device: &Value) -> Value {
        without(device, if self.keys_in_list { &["gateway_id", "lat", "lon"] } else { &["gateway_id", "local_key"] })
    }

    /// A page behind this row. A row that does not exist is refused.
    pub(crate) fn page(&self, list: Vec<Value>, last: Option<&str>, name: &str) -> Result<Value, Refused> {
        let start: usize = match last {
            Some(last) => last.strip_prefix("row ").and_then(|row| row.parse().ok()).ok_or(ILLEGAL)?,
            None => 0,
        };
        let total = list.len();
        let page: Vec<Value> = list.into_iter().skip(start).take(self.page).collect();
        let end = start + page.len();
        Ok(json!({ name: page, "has_more": end < total, "last_row_key": format!("row {end}"), "total": total }))
    }

    /// A page of the devices behind this one, in the spelling of the newer calls.
    pub(crate) fn things(&self, size: Option<&str>, last: Option<&str>) -> Result<Value, Refused> {
        let size: usize = size.and_then(|size| size.parse().ok()).filter(|size| *size <= 20).ok_or(ILLEGAL)?;
        let start = match last {
            Some(last) => 1 + self.devices.iter().position(|device| device["id"] == last).ok_or(ILLEGAL)?,
            None => 0,
        };
        let thing = |device: &Value| {
            let spelled = [
                ("id", "id"),
                ("name", "name"),
                ("local_key", "localKey"),
                ("category", "category"),
                ("product_id", "productId"),
                ("product_name", "productName"),
                ("sub", "sub"),
                ("uuid", "uuid"),
                ("icon", "icon"),
                ("online", "isOnline"),
            ];
            let fields = spelled.iter().filter(|(name, _)| device.get(name).is_some());
            Value::Object(fields.map(|(name, camel)| ((*camel).to_owned(), device[name].clone())).collect())
        };
        Ok(self.devices.iter().skip(start).take(size).map(thing).collect())
    }

    pub(crate) fn factory(&self, id: &str) -> Option<Value> {
        let at = self.devices.iter().position(|device| device["id"] == id && device["sub"] != true)?;
        let uuid = &self.devices[at]["uuid"];
        Some(
            json!({ "id": id, "mac": format!("105a17{:06x}", at + 1), "uuid": uuid, "sn": format!("10000000{at:05}") }),
        )
    }

    pub(crate) fn specification(&self, id: &str) -> Result<Value, Refused> {
        let product = self.device(id)?["product_id"].as_str().unwrap_or_default();
        self.specifications.get(product).cloned().ok_or((2009, "not support this device"))
    }

    /// As the app's way tells it: nothing, where a developer project is refused.
    fn specification_of_app(&self, id: &str) -> Result<Value, Refused> {
        self.device(id)?;
        Ok(self.specification(id).unwrap_or_else(|_| json!({ "functions": [], "status": [] })))
    }

    pub(crate) fn specification_without_numbers(&self, id: &str) -> Result<Value, Refused> {
        let mut all = self.specification_of_app(id)?;
        for part in ["functions", "status"] {
            for item in all[part].as_array_mut().into_iter().flatten() {
                *item = without(item, &["dp_id"]);
            }
        }
        Ok(all)
    }

    pub(crate) fn relations(&self, id: &str) -> Result<Value, Refused> {
        let all = self.specification_of_app(id)?;
        let list = |part: &str| all[part].as_array().cloned().unwrap_or_default();
        let status = list("status");
        let rest: Vec<Value> = list("functions").into_iter().filter(|item| !status.contains(item)).collect();
        let relation = |item: &Value| {
            let code = item["code"].clone();
            let mut format = Map::new();
            format.insert(code.as_str().unwrap_or_default().to_owned(), json!("$"));
            let kind = match item["type"].as_str().unwrap_or_default() {
                "Boolean" => "bool".to_owned(),
                "Integer" => "value".to_owned(),
                other => other.to_lowercase(),
            };
            json!({
                "dpId": item["dp_id"], "dpCode": code, "statusCode": code, "supportLocal": true,
                "statusFormat": Value::Object(format).to_string(), "valueConvert": "default",
                "valueDesc": item["values"], "valueType": kind, "enumMappingMap": {},
            })
        };
        let relations: Vec<Value> = status.iter().chain(&rest).map(relation).collect();
        Ok(json!({ "productKey": self.device(id)?["product_id"], "dpStatusRelationDTOS": relations }))
    }

    pub(crate) fn model(&self, id: &str) -> Result<Value, Refused> {
        let product = self.device(id)?["product_id"].as_str().unwrap_or_default();
        let model = self.models.get(product).ok_or((2009, "not support this device"))?;
        Ok(json!({ "model": model.to_string() }))
    }

    pub(crate) fn children(&self, gateway: &str) -> Value {
        let behind = self.devices.iter().filter(|device| device["gateway_id"] == gateway);
        behind.map(|device| without(device, &["gateway_id", "local_key", "uid"])).collect()
    }
}

fn without(object: &Value, fields: &[&str]) -> Value {
    let kept = object.as_object().into_iter().flatten().filter(|(name, _)| !fields.contains(&name.as_str()));
    Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

//! Ready-made devices: what the vendor's categories have, and how they behave.

mod air;
mod appliance;
mod climate;
mod cover;
mod fan;
mod light;
mod point;
mod power;
mod security;
mod sensor;
mod template;
mod weather;

use core::fmt;
use core::str::FromStr;

use serde_json::{Map, Value};

use point::Point;
use template::Template;

/// A kind of device with the DPs, ranges and behavior of real ones: a lamp, a thermostat, a curtain. Product ids and
/// models are made up.
///
/// ```
/// # use rustuya_runtime_tokio::Version;
/// # use rustuya_virtual_device::{Profile, VirtualDevice};
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// let light: Profile = "light".parse()?;
/// assert_eq!((light.category(), &light.mapping()["22"]["code"]), ("dj", &json!("bright_value_v2")));
/// let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
///     .bind("127.0.0.1:0".parse()?) // a free port
///     .profile(light)
///     .start()
///     .await?;
/// lamp.set_dps(None, serde_json::from_str(r#"{ "24": "000003e803e8" }"#)?)?; // a color
/// assert_eq!(lamp.dps(None)["21"], json!("colour"));
///
/// let error = "lihgt".parse::<Profile>().expect_err("it is mistyped");
/// assert_eq!(error.to_string(), "there is no such profile; did you mean light?");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Profile(&'static Template);

impl Profile {
    /// Returns all profiles.
    pub fn all() -> impl Iterator<Item = Self> {
        GROUPS.iter().copied().flatten().map(Self)
    }

    /// Returns its name, such as `light`.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// Returns what it is, in a few words.
    pub const fn product(self) -> &'static str {
        self.0.product
    }

    /// Returns a name that a user might give to such a device, such as `Desk lamp`.
    pub const fn title(self) -> &'static str {
        self.0.title
    }

    /// Returns the vendor's category, such as `dj`.
    pub const fn category(self) -> &'static str {
        self.0.category
    }

    /// Returns the made-up model.
    pub const fn model(self) -> &'static str {
        self.0.model
    }

    /// Returns the made-up product id, 16 characters.
    pub fn product_id(self) -> String {
        let letters = self.0.name.chars().filter(char::is_ascii_alphanumeric);
        letters.chain(core::iter::repeat('0')).take(16).collect()
    }

    /// Returns the codes, types and ranges of its DPs, as `mapping` in tinytuya's `devices.json`: writable DPs first.
    pub fn mapping(self) -> Map<String, Value> {
        let points = self.0.points;
        let (writable, measured): (Vec<&Point>, Vec<&Point>) = points.iter().partition(|point| point.is_writable);
        writable.into_iter().chain(measured).map(|point| (point.dp.to_string(), point.mapping())).collect()
    }

    /// Returns its first DPs. Those that were never set are null.
    pub fn dps(self) -> Map<String, Value> {
        self.0.points.iter().map(|point| (point.dp.to_string(), point.first.value())).collect()
    }

    /// Returns the cids and profiles of its sub-devices, if it is a gateway.
    pub fn children(self) -> impl Iterator<Item = (&'static str, Self)> {
        self.0.children.iter().map(|(cid, template)| (*cid, Self(template)))
    }

    pub(crate) const fn template(self) -> &'static Template {
        self.0
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        Self::all().find(|profile| profile.name() == name).ok_or_else(|| UnknownProfile::near(name))
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Profile").field(&self.0.name).finish()
    }
}

impl PartialEq for Profile {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Profile {}

/// There is no profile of this name.
///
/// ```
/// use rustuya_virtual_device::Profile;
/// let error = "thermostats".parse::<Profile>().expect_err("one too many letters");
/// assert_eq!(error.similar(), ["thermostat"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownProfile {
    similar: Vec<&'static str>,
}

impl UnknownProfile {
    /// Returns the names that are similar, the most similar one first.
    pub fn similar(&self) -> &[&'static str] {
        &self.similar
    }

    fn near(name: &str) -> Self {
        // Longer names are no typing errors.
        let name: String = name.chars().take(40).collect::<String>().to_lowercase();
        let mut near: Vec<_> = Profile::all()
            .filter_map(|profile| {
                let known = profile.name();
                let is_part = name.len() >= 3 && (known.contains(&name) || name.contains(known));
                let is_category = profile.category() == name;
                let distance = if is_category { 0 } else { distance(&name, known) };
                (is_part || is_category || distance <= 1 + known.len() / 5).then_some((distance, known))
            })
            .collect();
        near.sort_unstable();
        near.truncate(5);
        Self { similar: near.into_iter().map(|(_, name)| name).collect() }
    }
}

impl fmt::Display for UnknownProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no such profile")?;
        if !self.similar.is_empty() {
            write!(f, "; did you mean {}?", self.similar.join(", "))?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownProfile {}

/// Returns the number of letters to insert, remove, replace or swap.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<_>, Vec<_>) = (a.chars().collect(), b.chars().collect());
    let mut before = Vec::new();
    let mut row: Vec<_> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = row[j] + usize::from(x != y);
            let mut least = replaced.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *y && b[j - 1] == *x {
                let swapped: usize = before[j - 1];
                least = least.min(swapped + 1);
            }
            next.push(least);
        }
        before = core::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

/// All profiles, by subject.
const GROUPS: &[&[Template]] = &[
    light::ALL,
    power::ALL,
    cover::ALL,
    climate::ALL,
    fan::ALL,
    air::ALL,
    sensor::ALL,
    weather::ALL,
    security::ALL,
    appliance::ALL,
];

#[cfg(test)]
mod tests;

//! `rustuya wizard`: local keys from the vendor's cloud.

mod ask;
mod lan;
mod report;
mod tell;

use core::str::FromStr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use rustuya_cloud::{
    AppFetch, AppLogin, CancelToken, Client, Credentials, DataCentre, DevicesJson, Endpoint, Fetch, FetchError,
    Fetched, Project, Secret, UnknownDataCentre,
};
use rustuya_runtime_tokio::text;
use zeroize::Zeroizing;

use crate::input::{self, Ports, UsageError, seconds, unfit};
use crate::signal;
use lan::Lan;
use tell::Tell;

/// Fetch the local keys of your devices from the vendor's cloud, once, into a devices.json
///
/// Asks for what is missing, or runs without a question when all is given. Two ways: a developer project of yours (Access
/// ID and Access Secret, which the project's page shows), or with --qr a code that the app scans. docs/keys.md tells how to
/// get there, step by step.
///
/// Searches the local network meanwhile, and writes address and version of what it hears into the file, too. What is in the
/// file stays: run it again after a device was paired anew, which gives it another key. With --json, each device gives
/// {"id":..,"name":..,"category":..,"product_id":..,"key":true,"change":"new","address":..,"version":..,"parent":..,"why":..},
/// and the last line {"file":..,"region":..,"devices":..,"new":..,"kept":..,"calls":..,"clock_offset_ms":..,"notes":[..],"unlisted":[..]}.
/// Keys are never printed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Data centre of the app's account: eu, us, cn, in, sg, us-e, eu-w, or auto, which tries them in this order
    #[arg(long, value_name = "CODE", conflicts_with = "qr")]
    region: Option<Region>,
    /// The project's Access ID
    #[arg(long, value_name = "ID", conflicts_with = "qr")]
    access_id: Option<String>,
    /// File whose first line is the project's Access Secret. Without it, the secret is taken from the environment variable
    /// TUYA_ACCESS_SECRET, else from --credentials, else asked for
    #[arg(long, value_name = "FILE", conflicts_with = "qr")]
    access_secret_file: Option<PathBuf>,
    /// A tinytuya.json with apiKey, apiSecret, apiRegion and apiDeviceID [default: tinytuya.json, where there is one]
    #[arg(long, value_name = "FILE", conflicts_with = "qr")]
    credentials: Option<PathBuf>,
    /// A device of the account: helps where the list of all devices is refused. Can be repeated
    #[arg(long, value_name = "ID", conflicts_with = "qr")]
    device_id: Vec<String>,
    /// Log in with a QR code that the app scans, and out again when the keys are there. Needs no developer project, but a
    /// client id that the vendor gave out
    #[arg(long, requires = "client_id", requires = "schema")]
    qr: bool,
    /// The client id, with --qr
    #[arg(long, value_name = "ID", requires = "qr")]
    client_id: Option<String>,
    /// The schema that belongs to the client id, with --qr
    #[arg(long, value_name = "NAME", requires = "qr")]
    schema: Option<String>,
    /// File whose first line is the user code that the app shows, with --qr. Without it, the code is taken from the
    /// environment variable TUYA_USER_CODE, else asked for
    #[arg(long, value_name = "FILE", requires = "qr")]
    user_code_file: Option<PathBuf>,
    /// The file to write. What is in it is brought up to date
    #[arg(long, value_name = "FILE", default_value = "devices.json")]
    output: PathBuf,
    /// Ask for the meaning of DPs again where the file has it. Each product costs two calls of the project's quota
    #[arg(long)]
    fresh: bool,
    /// Do not search the local network
    #[arg(long)]
    no_scan: bool,
    /// Time limit for the search in the local network; ends earlier when all devices were heard
    #[arg(long, value_name = "SECONDS", default_value = "18", value_parser = seconds, conflicts_with = "no_scan")]
    scan_time: Duration,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Another address in the place of the data centre's, such as that of a proxy: https://HOST[:PORT]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Trust the certificates in this file, in PEM form, instead of this system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Time limit of one request
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    timeout: Duration,
    /// UDP ports to listen on: of clear announcements, of encrypted ones, and of answers to probes
    #[arg(long, value_name = "A,B,C", default_value = "6666,6667,7000")]
    discovery_ports: Ports,
}

/// A data centre, or all of them in turn.
#[derive(Clone, Copy, Debug)]
enum Region {
    Auto,
    Of(DataCentre),
}

impl FromStr for Region {
    type Err = UnknownDataCentre;

    fn from_str(text: &str) -> Result<Self, UnknownDataCentre> {
        if text.trim().eq_ignore_ascii_case("auto") { Ok(Self::Auto) } else { text.parse().map(Self::Of) }
    }
}

const SECRET: &str = "TUYA_ACCESS_SECRET";
const USER_CODE: &str = "TUYA_USER_CODE";
const TINYTUYA: &str = "tinytuya.json";
/// The time for the logout after Ctrl-C.
const LOGOUT_TIME: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if let Some(endpoint) = &args.endpoint
        && !endpoint.starts_with("https://")
    {
        return Err(unfit("--endpoint: must begin with https://").into());
    }
    let login = args.login()?;
    let output = || input::file("--output", &args.output);
    let mut file = DevicesJson::read(&args.output).with_context(output)?;
    let mut client = Client::builder().timeout(args.timeout);
    let is_logged_out = Arc::new(AtomicBool::new(false));
    if matches!(login, Login::App(_)) {
        // Nobody else ends a login.
        let (cancel, is_logged_out) = (CancelToken::default(), Arc::clone(&is_logged_out));
        client = client.cancel_token(&cancel);
        let log_out = move || {
            cancel.cancel();
            if is_logged_out.load(Ordering::Relaxed) { Duration::ZERO } else { LOGOUT_TIME }
        };
        signal::on_first(log_out).context("signals cannot be received")?;
    }
    let client = match &args.ca_file {
        Some(path) => client.ca_file(path).build().with_context(|| input::file("--ca-file", path))?,
        None => client.build()?,
    };
    let lan = (!args.no_scan).then(|| Lan::start(args.scan_time, args.discovery_ports.0)).transpose();
    let lan = lan.unwrap_or_else(|error| {
        eprintln!("rustuya: the local network is not searched: {error}");
        None
    });
    let mut tell = Tell::new();
    let known = if args.fresh { Vec::new() } else { file.mappings() };
    let fetched = match login {
        Login::Project { project, endpoints, device_ids } => {
            let fetch = Fetch::new(project, endpoints).device_ids(device_ids).known(known);
            client.fetch(fetch, |news| tell.news(&news))
        }
        Login::App(login) => client.fetch_app(AppFetch::new(login).known(known), |news| tell.news(&news)),
    };
    is_logged_out.store(true, Ordering::Relaxed);
    tell.clear();
    let fetched = fetched.map_err(|error| failed(&error))?;
    let heard = lan.map(|lan| lan.finish(&fetched.devices)).unwrap_or_default();
    let merged = file.merge(&fetched.devices, &fetched.endpoint.icons(), &heard);
    file.write(&args.output).with_context(output)?;
    let report = report::Report {
        fetched: &fetched,
        merged: &merged,
        heard: &heard,
        path: &args.output,
        searched: !args.no_scan,
    };
    if args.json { report.json() } else { report.people() }
}

fn failed(error: &FetchError) -> anyhow::Error {
    anyhow!("{error}: {}", error.advice())
}

enum Login {
    Project { project: Project, endpoints: Vec<Endpoint>, device_ids: Vec<String> },
    App(AppLogin),
}

impl Args {
    fn login(&self) -> anyhow::Result<Login> {
        if let (Some(client_id), Some(schema)) = (&self.client_id, &self.schema) {
            let given = from_file("--user-code-file", self.user_code_file.as_deref())?.or_else(|| variable(USER_CODE));
            let user_code = match given {
                Some(code) => code,
                None => {
                    let missing = format!("no user code: set {USER_CODE}, or give --user-code-file");
                    ask::hidden("User code (in the app: Me > Settings > Account and Security > User Code): ", &missing)?
                }
            };
            return Ok(Login::App(AppLogin {
                client_id: client_id.clone(),
                schema: schema.clone(),
                user_code,
                base: self.endpoint.clone().unwrap_or_else(|| AppLogin::BASE.to_owned()),
            }));
        }
        let stored = self.stored()?;
        let given = self.access_id.as_ref().map(|id| id.trim().to_owned());
        // The secret of another project is of no use.
        let is_other = given.is_some() && stored.access_id.is_some() && given != stored.access_id;
        let access_id = match given.or(stored.access_id) {
            Some(id) => id,
            None => ask::line("Access ID of the developer project: ", "no Access ID: give --access-id")?,
        };
        let from_options = from_file("--access-secret-file", self.access_secret_file.as_deref())?;
        let stored_secret = stored.access_secret.filter(|_| !is_other);
        let access_secret = match from_options.or_else(|| variable(SECRET)).or(stored_secret) {
            Some(secret) => secret,
            None => {
                let missing = format!("no Access Secret: set {SECRET}, or give --access-secret-file");
                ask::hidden("Access Secret of the project (is not shown): ", &missing)?
            }
        };
        let region = match self.region {
            Some(Region::Auto) => None,
            Some(Region::Of(centre)) => Some(centre),
            None => stored.centre.filter(|_| !is_other),
        };
        let endpoints = match (&self.endpoint, region) {
            (Some(endpoint), centre) => vec![Endpoint::at(endpoint, centre)],
            (None, Some(centre)) => vec![Endpoint::of(centre)],
            (None, None) => Endpoint::all(),
        };
        let device_ids =
            if self.device_id.is_empty() && !is_other { stored.device_ids } else { self.device_id.clone() };
        Ok(Login::Project { project: Project { access_id, access_secret }, endpoints, device_ids })
    }

    /// Reads the credentials that tinytuya has stored, if there is such a file.
    fn stored(&self) -> anyhow::Result<Credentials> {
        match &self.credentials {
            Some(path) => Credentials::read(path).with_context(|| input::file("--credentials", path)),
            None if Path::new(TINYTUYA).exists() => {
                eprintln!("rustuya: the project is taken from {TINYTUYA} where no option says otherwise");
                Credentials::read(TINYTUYA).context(TINYTUYA)
            }
            None => Ok(Credentials::default()),
        }
    }
}

/// The first line of a file, without blanks around it. The file's name is not repeated: it may be the secret itself, given
/// to the wrong option.
fn from_file(option: &str, path: Option<&Path>) -> anyhow::Result<Option<Secret>> {
    let Some(path) = path else { return Ok(None) };
    let bytes = Zeroizing::new(std::fs::read(path).with_context(|| format!("{option}: the file cannot be read"))?);
    let text = text::decode(&bytes).map_err(|error| unfit(&format!("{option}: {error}")))?;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        return Err(unfit(&format!("{option}: the first line is empty")).into());
    }
    Ok(Some(Secret::from(line)))
}

fn variable(name: &str) -> Option<Secret> {
    let value = Zeroizing::new(std::env::var(name).ok()?);
    Some(value.trim()).filter(|value| !value.is_empty()).map(Secret::from)
}

/// Makes the error for a missing answer: without a terminal nobody can be asked.
fn nobody(missing: &str) -> UsageError {
    unfit(missing)
}

/// The region's code, where the devices are in a known one.
fn code_of(fetched: &Fetched) -> Option<&'static str> {
    fetched.endpoint.centre.map(DataCentre::code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_read() {
        assert!(matches!("AUTO".parse(), Ok(Region::Auto)));
        assert!(matches!("ue".parse(), Ok(Region::Of(DataCentre::EasternAmerica))));
        assert!("mars".parse::<Region>().is_err());
    }
}

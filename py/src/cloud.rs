//! Runs of fetches from the vendor's cloud.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::path::Path;
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use rustuya_cloud::{
    AppFetch, AppLogin, CancelToken, Client, Credentials, DataCentre, DevicesJson, Endpoint, Fetch, FetchError,
    Fetched, Mapping, Progress, Project, Secret,
};
use tokio::sync::{mpsc, watch};

use crate::blocking::block;
use crate::held::{Held, check};
use crate::lifecycle::{is_forked, lock};
use crate::operation::{Answer, Failure, Operation, finish, within};
use crate::{args, cloud_errors, errors, exceptions};

/// Time limit for the logout of a cancelled fetch.
const LOGOUT_LIMIT: Duration = Duration::from_secs(5);

/// A fetch in a thread of its own, with its reports.
#[pyclass(frozen, module = "rustuya._native")]
pub(crate) struct CloudRun(Held<Running>);

struct Running {
    steps: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Report>>>,
    end: End,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end.cancel.cancel();
    }
}

/// Ends a run, and waits for its end.
#[derive(Clone)]
struct End {
    cancel: CancelToken,
    /// Closed at the end.
    ended: watch::Receiver<()>,
}

impl End {
    async fn wait(mut self) {
        while self.ended.changed().await.is_ok() {}
    }
}

enum Report {
    Step(Progress),
    End(Result<Fetched, FetchError>),
}

/// Runs that have not ended, for the end of the interpreter.
static RUNNING: Mutex<Vec<End>> = Mutex::new(Vec::new());
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Guard of a run: counts it until its end, and reports that.
struct Counted {
    _ending: watch::Sender<()>,
}

impl Counted {
    fn new(ending: watch::Sender<()>) -> Self {
        COUNT.fetch_add(1, Ordering::SeqCst);
        Self { _ending: ending }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        COUNT.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Returns true while a fetch is running.
pub(crate) fn is_running() -> bool {
    COUNT.load(Ordering::SeqCst) > 0
}

/// Cancels all fetches when the interpreter ends, and waits for their logouts.
pub(crate) fn leave(py: Python<'_>) {
    let all = core::mem::take(&mut *lock(&RUNNING));
    all.iter().for_each(|end| end.cancel.cancel());
    let wait_for_all = async move {
        for end in all {
            end.wait().await;
        }
    };
    // A second Ctrl-C ends this wait.
    let _ = block(py, wait_for_all, Some(LOGOUT_LIMIT));
}

impl CloudRun {
    fn start(
        py: Python<'_>,
        ca_file: Option<args::CaFile>,
        timeout: f64,
        work: impl FnOnce(&Client, &mut dyn FnMut(Progress)) -> Result<Fetched, FetchError> + Send + 'static,
    ) -> PyResult<Self> {
        let cancel = CancelToken::default();
        let mut client = Client::builder().timeout(args::duration(timeout)?).cancel_token(&cancel);
        if let Some(args::CaFile(path)) = &ca_file {
            client = client.ca_file(path);
        }
        let ca_file = ca_file.as_ref().map(|given| given.0.as_path());
        let client = py.detach(|| client.build()).map_err(|error| cloud_errors::client(py, ca_file, error))?;
        let (reports, steps) = mpsc::unbounded_channel();
        let (ending, ended) = watch::channel(());
        let counted = Counted::new(ending);
        let run = move || {
            let result = work(&client, &mut |news| drop(reports.send(Report::Step(news))));
            // Nobody may be waiting any more.
            drop(reports.send(Report::End(result)));
            drop(counted);
        };
        let end = End { cancel, ended };
        let mut running = lock(&RUNNING);
        running.retain(|known| known.ended.has_changed().is_ok());
        running.push(end.clone());
        drop(running);
        let thread = std::thread::Builder::new().name("rustuya-cloud".to_owned()).spawn(run);
        thread.map_err(|error| errors::system(py, error))?;
        Ok(Self(Held::new(Running { steps: Arc::new(tokio::sync::Mutex::new(steps)), end })))
    }

    pub(crate) fn next_operation(&self, py: Python<'_>) -> PyResult<Operation> {
        check(py)?;
        let steps = Arc::clone(&self.0.get(py)?.steps);
        Ok(Box::pin(async move {
            match steps.lock().await.recv().await {
                Some(Report::Step(step)) => Ok(Answer::Step(step)),
                Some(Report::End(Ok(fetched))) => Ok(Answer::Fetched(Box::new(fetched))),
                Some(Report::End(Err(error))) => Err(Failure::Cloud(error)),
                None => Err(Failure::Cloud(FetchError::Cancelled)),
            }
        }))
    }

    /// Cancels the fetch now, and makes the operation that waits for its logout.
    pub(crate) fn close_operation(&self, py: Python<'_>) -> PyResult<Operation> {
        within(py, Some(LOGOUT_LIMIT.as_secs_f64()), self.cancelled(py)?.wait())
    }

    fn cancelled(&self, py: Python<'_>) -> PyResult<End> {
        let end = self.0.get(py)?.end.clone();
        end.cancel.cancel();
        Ok(end)
    }
}

#[pymethods]
impl CloudRun {
    #[staticmethod]
    #[pyo3(signature = (access_id, access_secret, *, region, device_ids, known, mappings, endpoint, ca_file, timeout))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword arguments in Python")]
    fn project(
        py: Python<'_>,
        access_id: args::AccessId,
        access_secret: args::AccessSecret,
        region: args::Region,
        device_ids: args::DeviceIds,
        known: Option<args::Known>,
        mappings: args::Mappings,
        endpoint: Option<args::Endpoint>,
        ca_file: Option<args::CaFile>,
        #[pyo3(from_py_with = args::request_timeout)] timeout: f64,
    ) -> PyResult<Self> {
        check(py)?;
        let access_secret = Secret::from(access_secret.0);
        let centre = centre(py, &region.0)?;
        let endpoints = match (https(py, endpoint)?, centre) {
            (Some(endpoint), centre) => vec![Endpoint::at(&endpoint, centre)],
            (None, Some(centre)) => vec![Endpoint::of(centre)],
            (None, None) => Endpoint::all(),
        };
        let project =
            Project { access_id: access_id.0.trim().to_owned(), access_secret: access_secret.expose().trim().into() };
        let mut fetch = Fetch::new(project, endpoints).device_ids(device_ids.0).known(mappings_of(py, known)?);
        if !mappings.0 {
            fetch = fetch.without_mappings();
        }
        Self::start(py, ca_file, timeout, move |client, tell| client.fetch(fetch, tell))
    }

    #[staticmethod]
    #[pyo3(signature = (client_id, schema, user_code, *, known, endpoint, ca_file, timeout))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword arguments in Python")]
    fn app(
        py: Python<'_>,
        client_id: args::ClientId,
        schema: args::AppSchema,
        user_code: args::UserCode,
        known: Option<args::Known>,
        endpoint: Option<args::Endpoint>,
        ca_file: Option<args::CaFile>,
        #[pyo3(from_py_with = args::request_timeout)] timeout: f64,
    ) -> PyResult<Self> {
        check(py)?;
        let user_code = Secret::from(user_code.0);
        let login = AppLogin {
            client_id: client_id.0.trim().to_owned(),
            schema: schema.0.trim().to_owned(),
            user_code: user_code.expose().trim().into(),
            base: https(py, endpoint)?.unwrap_or_else(|| AppLogin::BASE.to_owned()),
        };
        let fetch = AppFetch::new(login).known(mappings_of(py, known)?);
        Self::start(py, ca_file, timeout, move |client, tell| client.fetch_app(fetch, tell))
    }

    /// Waits for the next step, or the end.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        finish(py, self.next_operation(py)?)
    }

    /// Cancels the fetch, and waits for its logout.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if is_forked() {
            return Ok(());
        }
        block(py, self.cancelled(py)?.wait(), Some(LOGOUT_LIMIT)).map(drop)
    }
}

/// Access ID, Access Secret, code of the data centre and ids of devices; `None` where the file has none.
type ProjectFields = (Option<String>, Option<String>, Option<&'static str>, Vec<String>);

/// Reads the project from a file of tinytuya.
#[pyfunction]
pub(crate) fn stored_project(py: Python<'_>, path: args::Path) -> PyResult<ProjectFields> {
    let read = Credentials::read(&path.0).map_err(|error| cloud_errors::credentials(py, &path.0, error))?;
    let access_secret = read.access_secret.map(|secret| secret.expose().to_owned());
    Ok((read.access_id, access_secret, read.centre.map(DataCentre::code), read.device_ids))
}

/// Reads the code of a data centre; `None` for all.
fn centre(py: Python<'_>, region: &str) -> PyResult<Option<DataCentre>> {
    if region.trim().eq_ignore_ascii_case("auto") {
        return Ok(None);
    }
    region.parse().map(Some).map_err(|error: rustuya_cloud::UnknownDataCentre| {
        exceptions::leaf(py, "ConfigError", 912, &format!("region {}: {error}", exceptions::quoted(region)))
    })
}

fn https(py: Python<'_>, endpoint: Option<args::Endpoint>) -> PyResult<Option<String>> {
    match endpoint {
        Some(args::Endpoint(url)) if !url.starts_with("https://") => {
            Err(exceptions::leaf(py, "ConfigError", 912, "endpoint must begin with https://"))
        }
        other => Ok(other.map(|given| given.0)),
    }
}

/// Reads the meaning of the DPs of products from a `devices.json`.
fn mappings_of(py: Python<'_>, known: Option<args::Known>) -> PyResult<Vec<(String, Mapping)>> {
    let Some(args::Known(path)) = known else { return Ok(Vec::new()) };
    let read = |path: &Path| DevicesJson::read(path).map(|file| file.mappings());
    py.detach(|| read(&path)).map_err(|error| cloud_errors::devices_json(py, &path, error))
}

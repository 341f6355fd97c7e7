//! One command for several devices, at the same time.

use anyhow::bail;
use rustuya_runtime_tokio::{CommandError, Device};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::connect::{connect, manager};
use crate::input::shown;
use crate::output::{complain, json_line_now};
use crate::target::{Selected, Target, TargetArgs};

/// Device for which the command failed, in JSON.
#[derive(Serialize)]
pub(crate) struct Failed<'a> {
    pub(crate) id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cid: Option<&'a str>,
    pub(crate) error: String,
}

/// Runs `work` for each target, and shows each success at once. Returns the failure of a single device; shows the
/// failures of several, as JSON or on stderr, and counts them.
pub(crate) async fn each<T, F>(
    args: &TargetArgs,
    selected: Selected,
    json: bool,
    work: impl Fn(Device, &Target) -> F,
    mut show: impl FnMut(&Target, T) -> anyhow::Result<()>,
) -> anyhow::Result<()>
where
    T: Send + 'static,
    F: Future<Output = Result<T, CommandError>> + Send + 'static,
{
    let Selected { targets, unusable, several, .. } = selected;
    let manager = manager(args, &targets)?;
    let all = targets.len() + unusable.len();
    let mut failed = unusable.len();
    for entry in unusable {
        let name = (entry.name != entry.id).then_some(entry.name.as_str());
        show_failure(json, &Failed { id: &entry.id, name, cid: None, error: format!("{:#}", entry.error) })?;
    }
    let mut running = JoinSet::new();
    for target in targets {
        let device = connect(&manager, &target)?;
        let work = work(device.clone(), &target);
        running.spawn(async move {
            let result = target.run(&device, work).await;
            (target, result)
        });
    }
    while let Some(ended) = running.join_next().await {
        let (target, result) = ended?;
        match result {
            Ok(value) => show(&target, value)?,
            Err(error) if !several => {
                manager.shutdown().await;
                return Err(error.context(target.error_name().to_owned()));
            }
            Err(error) => {
                failed += 1;
                let cid = target.cid.as_ref().map(|cid| cid.as_str());
                let error = format!("{error:#}");
                show_failure(json, &Failed { id: target.id.as_str(), name: target.display_name(), cid, error })?;
            }
        }
    }
    manager.shutdown().await;
    match failed {
        0 => Ok(()),
        _ => bail!("{failed} of {all} devices failed"),
    }
}

/// Shows that one of several devices failed.
pub(crate) fn show_failure(json: bool, failed: &Failed<'_>) -> anyhow::Result<()> {
    if json {
        return json_line_now(failed);
    }
    complain(&format!("{}: {}", failed.name.unwrap_or_else(|| shown(failed.id)), failed.error));
    Ok(())
}

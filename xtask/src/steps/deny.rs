//! Dependencies, by cargo-deny: licences, duplicates, sources and advisories.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::context::Context;
use crate::shell::Shell;
use crate::tools;

/// The workspaces that are checked; `deny.toml` is for both.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "firmware/Cargo.toml"];

/// Report of cargo-deny when it cannot have the database.
const UNREACHABLE: &str = "failed to fetch advisory database";

/// An advisory against every version of a crate that is used here.
const ADVISORY: (&str, &str, &str) = (
    "RUSTSEC-2020-9999",
    "aes",
    "```toml\n[advisory]\nid = \"RUSTSEC-2020-9999\"\npackage = \"aes\"\ndate = \"2020-01-01\"\n\n\
     [versions]\npatched = []\n```\n\n# Made up\n\nIt shows that advisories are found.\n",
);
/// Address of the made-up database.
const DATABASE: &str = "https://advisories.invalid/made-up";

pub(super) fn run(context: &Context) -> Result<String> {
    let config = context.root.join("deny.toml");
    for manifest in MANIFESTS {
        // One workspace may not have the exceptions of the other.
        deny(context, manifest, &config)?
            .args(["check", "--hide-inclusion-graph", "--allow", "unmatched-skip", "--allow", "unnecessary-skip"])
            .args(["--allow", "license-exception-not-encountered", "bans", "licenses", "sources"])
            .run()?;
    }
    sees_an_advisory(context)?;
    let fetched = deny(context, MANIFESTS[0], &config)?.args(["fetch", "db"]).finish()?;
    if fetched.success {
        for manifest in MANIFESTS {
            deny(context, manifest, &config)?
                .args(["check", "--hide-inclusion-graph", "--allow", "advisory-not-detected", "advisories"])
                .run()?;
        }
        return Ok("licences, duplicates, sources, advisories".to_owned());
    }
    ensure!(fetched.stderr.contains(UNREACHABLE), "cargo-deny fetch:\n{}", fetched.stderr);
    println!("\nNOT RUN: no advisories were looked for, because their database cannot be reached:");
    println!("{}", fetched.stderr.trim());
    Ok("licences, duplicates, sources, yanked versions; ADVISORIES NOT CHECKED, no database".to_owned())
}

fn deny(context: &Context, manifest: &str, config: &Path) -> Result<Shell> {
    let shell = context.shell(tools::cargo_tool(context, "cargo-deny")?);
    Ok(shell.args(["--locked", "--manifest-path", manifest, "--config"]).arg(config))
}

/// Has cargo-deny find an advisory in a made-up database, and nothing else that is wrong, such as a yanked version.
fn sees_an_advisory(context: &Context) -> Result<()> {
    let folder = context.target.join("deny");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let database = made_up_database(context, &folder)?;
    let (id, ..) = ADVISORY;
    let check = |name: &str, ignored: &str| -> Result<_> {
        let config = folder.join(format!("{name}.toml"));
        let databases = folder.join("databases");
        let databases = databases.to_str().context("the target folder has a name that is not UTF-8")?;
        let text = format!(
            "[graph]\nall-features = true\n\n[advisories]\nyanked = \"deny\"\nignore = [{ignored}]\n\
             db-urls = [{DATABASE:?}]\ndb-path = {databases:?}\n"
        );
        fs::write(&config, text)?;
        // Git reads the repository of this folder where it is told to reach the other.
        deny(context, MANIFESTS[0], &config)?
            .args(["check", "--hide-inclusion-graph", "advisories"])
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", format!("url.{}.insteadOf", database.display()))
            .env("GIT_CONFIG_VALUE_0", DATABASE)
            .finish()
    };
    let found = check("denied", "")?;
    if found.success || !found.stderr.contains(id) {
        bail!("cargo-deny does not find an advisory:\n{}", found.stderr);
    }
    let ignored = check("ignored", &format!("{id:?}"))?;
    ensure!(ignored.success, "cargo-deny finds more than the advisory that was made up:\n{}", ignored.stderr);
    println!("an advisory that was made up is found, and no version is yanked");
    Ok(())
}

fn made_up_database(context: &Context, folder: &Path) -> Result<PathBuf> {
    let (id, package, text) = ADVISORY;
    let database = folder.join("made-up");
    let advisories = database.join("crates").join(package);
    fs::create_dir_all(&advisories)?;
    fs::write(advisories.join(format!("{id}.md")), text)?;
    let git = |args: &[&str]| context.shell("git").arg("-C").arg(&database).args(args.iter().copied());
    git(&["init", "--quiet", "--initial-branch=main"]).stdout()?;
    git(&["add", "--all"]).stdout()?;
    git(&["-c", "user.name=xtask", "-c", "user.email=xtask@localhost", "commit", "--quiet", "--message=Made up"])
        .stdout()?;
    Ok(database)
}
